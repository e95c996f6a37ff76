// How far a step moves the rows of embedding and head, by how often their tokens occur in the
// training data: the lines of token_rows.jsonl (docs/formats.md).
//
// A rare row has a gradient in few steps only. AdamW's second moment has decayed by then, or still
// remembers the last occurrence, so rare rows may be moved too far or too little (arXiv
// 2607.01455).
#pragma once

#include "muonlab/config/probes.hpp"
#include "muonlab/train/probe.hpp"

namespace muonlab::train {

class TokenRowsProbe final : public Probe {
 public:
  explicit TokenRowsProbe(const config::TokenRowsConfig& config) : config_(config) {}

  std::string name() const override { return "token_rows"; }
  int64_t every() const override { return config_.every; }
  // Keeps a copy of embedding and head, and where the step's samples begin.
  void before_step(Trainer& trainer) override;
  // A line for each matrix and group of tokens that has one. Group 0 are tokens that were not
  // counted once, group g those counted from 2^(g-1) to 2^g - 1 times.
  std::vector<std::string> measure(Trainer& trainer) override;

 private:
  config::TokenRowsConfig config_;
  std::map<std::string, at::Tensor> before_;  // values by the parameter's name
  int64_t first_sample_ = 0;
  std::vector<int64_t> counts_;  // by token; counted at the first measurement
};

}  // namespace muonlab::train
