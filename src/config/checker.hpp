// What the fields alone cannot say: how settings fit together. Each check reports with the place of
// the setting.
#pragma once

#include <algorithm>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "config/problems.hpp"
#include "config/reader.hpp"
#include "muonlab/config/run.hpp"

namespace muonlab::config {

struct Checker {
  RunConfig& run;
  const Value& tree;  // as merged; empty for a configuration built in code
  Problems& problems;
  std::vector<std::string>& dropped;

  void fail(const std::string& path, std::string text) {
    problems.add(mark_at(tree, path), path, std::move(text));
  }

  // The highest layer that wrote the setting or a part of it. Causes are asked for again and again,
  // so the answers are kept.
  int layer(const std::string& path);

  std::unordered_map<std::string, int> layers{};
  // What an earlier version accepted, and a run made by it holds, is read as it was then.
  bool stored = false;

  // False for a setting that the user wrote beside or above its cause.
  bool is_inherited(const std::string& path, const std::string& cause);
  // Whether selectors can be held against parameters in a moment; says so where they cannot.
  bool few_enough(const std::string& path, const std::vector<std::string>& selectors,
                  size_t num_parameters);
  // The selector as it stays: a range that reaches past the model's last layer is a mistake where
  // it was written for this model, and is cut where it was inherited.
  std::string within_model(const Selector& selector, const std::string& text,
                           const std::string& path);

  // A setting that can do nothing because of another one: a mistake where the user wrote it beside
  // or above its cause, listed as dropped where it was inherited. True where it is to be dropped.
  bool without_effect(const std::string& path, const std::string& cause, const std::string& reason);

  // The same for a field; `fallback` stands for "not asked for".
  template <class T>
  void without_effect(T& field, const std::type_identity_t<T>& fallback, const std::string& path,
                      const std::string& cause, const std::string& reason) {
    if (field != fallback && without_effect(path, cause, reason)) field = fallback;
  }
};

// Each fills in what its section leaves open, then checks it. In this order.
void check_model(Checker& c);  // the shape behind from and size is already in place
void check_data(Checker& c);
void check_optimizers(Checker& c);
void check_assign(Checker& c);
void check_train(Checker& c);
void check_schedules(Checker& c);
void check_probes(Checker& c);

// Settings of a model section that follow from the others.
void fill_shape(ModelConfig& model);

}  // namespace muonlab::config
