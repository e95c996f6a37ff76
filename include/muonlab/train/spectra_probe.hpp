// Spectra of the weights during a run: one line a matrix in spectra.jsonl (docs/formats.md).
#pragma once

#include <string>
#include <vector>

#include "muonlab/train/probe.hpp"

namespace muonlab::train {

class SpectraProbe final : public Probe {
 public:
  explicit SpectraProbe(const config::SpectraConfig& config) : config_(config) {}

  std::string name() const override { return "spectra"; }
  int64_t every() const override { return config_.every; }
  std::vector<std::string> measure(Trainer& trainer) override;

 private:
  config::SpectraConfig config_;
};

}  // namespace muonlab::train
