// Sharpness along the updates of a run: the lines of sharpness.jsonl (docs/formats.md).
#pragma once

#include "muonlab/train/probe.hpp"
#include "muonlab/train/sharpness.hpp"

namespace muonlab::train {

// Measures what the step has just done to the selected parameters, at the weights before it and on
// the batch of that step, in fp32 with the operations that can be differentiated twice. A
// measurement costs several steps: one Hessian-vector product for the whole update and one for each
// layer. It keeps a second copy of the weights.
class SharpnessProbe final : public Probe {
 public:
  explicit SharpnessProbe(const config::SharpnessConfig& config) : config_(config) {}

  std::string name() const override { return "sharpness"; }
  int64_t every() const override { return config_.every; }
  // Keeps the weights that the update will change, and where the step's samples begin.
  void before_step(Trainer& trainer) override;
  std::vector<std::string> measure(Trainer& trainer) override;

  // What measure() writes as lines. REQUIRES: a step was made since before_step.
  Sharpness measure_step(Trainer& trainer);

 private:
  config::SharpnessConfig config_;
  at::Tensor before_;  // the arena's values
  int64_t first_sample_ = 0;
};

}  // namespace muonlab::train
