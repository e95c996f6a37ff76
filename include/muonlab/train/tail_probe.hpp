// The exam of rare facts during a run: a line a frequency group and a line an attribute in
// tail.jsonl (docs/formats.md).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "muonlab/train/probe.hpp"
#include "muonlab/train/tail.hpp"

namespace muonlab::train {

// The questions of probes.tail, as ids. Throws base::Error where the longest does not fit into the
// context. REQUIRES: probes.tail is set, which config allows with data of kind biographies only.
TailExam tail_exam(const config::RunConfig& run, const data::Dataset& data);

// Asks in wordings that the training text holds for that very fact, as the paper does. Once
// train.average has begun it asks the averaged weights, as validations do.
class TailProbe final : public Probe {
 public:
  explicit TailProbe(const config::TailConfig& config) : config_(config) {}

  std::string name() const override { return "tail"; }
  int64_t every() const override { return config_.every; }
  std::vector<std::string> measure(Trainer& trainer) override;

 private:
  config::TailConfig config_;
  std::optional<TailExam> exam_;  // made at the first measurement
};

}  // namespace muonlab::train
