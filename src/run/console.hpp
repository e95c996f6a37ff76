// The console of a training run: one live line on a terminal, plain lines elsewhere.
#pragma once

#include <string>

#include "muonlab/base/terminal.hpp"
#include "muonlab/train/evaluation.hpp"
#include "muonlab/train/step.hpp"

namespace muonlab::run {

// "71% of GEMM peak". More than all of it is no share: the peak was measured while other processes
// took the processor.
std::string peak_share_text(double share);

class Console {
 public:
  // peak_gflops: measured rate of matrix products in the run's precision; 0 leaves the percentage
  // out.
  Console(const train::Plan& plan, double flops_per_token, double peak_gflops);

  void stepped(const train::StepRecord& record);
  void evaluated(int64_t step, const train::Evaluation& evaluation);
  void finish();  // leaves the last line

 private:
  std::string line(const train::StepRecord& record) const;

  const train::Plan& plan_;
  double flops_per_token_, peak_gflops_;
  double seconds_per_token_ = 0;  // moving average
  std::string last_validation_;
  train::StepRecord last_;
  base::LiveLine live_;
};

}  // namespace muonlab::run
