// The parts of the experiment `memory`; each adds its tables, plots and claims to the result.
#pragma once

#include <string>
#include <vector>

#include "memory_law.hpp"
#include "memory_model.hpp"
#include "muonlab/theory/memory.hpp"

namespace muonlab::theory {

struct MemoryLab {
  explicit MemoryLab(const MemoryConfig& config);

  const MemoryConfig& config;
  TwoClasses classes;
  struct Embedded {
    std::string name;
    MemoryModel model;
    bool coupled() const { return name == "coupled"; }
  };
  std::vector<Embedded> models;

  double facts() const { return static_cast<double>(config.facts); }
  // "both embeddings" or "coupled embeddings": what a claim was checked for.
  std::string embeddings_text() const {
    return models.size() > 1 ? "both embeddings" : models.front().name + " embeddings";
  }
};

inline constexpr MemoryRule kMemoryRules[] = {MemoryRule::gd, MemoryRule::sign, MemoryRule::muon};
at::Tensor matrix_direction(MemoryRule rule, const at::Tensor& gradient);
// The line of a rule and an embedding, the same in all plots.
page::XySeries memory_series(MemoryRule rule, const std::string& embedding);

void one_step(const MemoryLab& lab, Context& context, Result& result);
void many_steps(const MemoryLab& lab, Context& context, Result& result);
void growth(const MemoryLab& lab, Context& context, Result& result);

}  // namespace muonlab::theory
