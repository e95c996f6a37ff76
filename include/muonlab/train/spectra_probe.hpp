// Spectra during a run, and what else the configuration asks for beside them: the lines of
// spectra.jsonl (docs/formats.md).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "muonlab/train/probe.hpp"

namespace muonlab::train {

class SpectraProbe final : public Probe {
 public:
  explicit SpectraProbe(const config::SpectraConfig& config) : config_(config) {}

  std::string name() const override { return "spectra"; }
  int64_t every() const override { return config_.every; }
  bool reads_state() const override { return config_.momentum || config_.updates; }
  // Keeps the weights that the update will change, and measures the inputs of the step's first
  // micro-batch.
  void before_step(Trainer& trainer) override;
  std::vector<std::string> measure(Trainer& trainer) override;

 private:
  config::SpectraConfig config_;
  std::map<std::string, at::Tensor> before_;  // weights by parameter
  std::vector<std::string> input_lines_;
};

}  // namespace muonlab::train
