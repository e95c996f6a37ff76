// A run's record: metrics.jsonl (no clock values: equal runs give equal bytes) and timing.jsonl
// (what depends on the machine). One JSON object a line, stable keys:
//   {"step":1,"tokens":8192,"loss":9.01,"grad_norm":1.2,"lr":{"adam":0.001}}
//   {"step":50,"val_loss":5.1,"val_perplexity":164.0,"val_bits_per_byte":1.9}
//   timing:
//   {"step":1,"forward_s":…,"backward_s":…,"optimizer_s":…,"tokens_per_s":…,"peak_rss_mb":…}
#pragma once

#include <string>
#include <vector>

#include "muonlab/base/line_file.hpp"
#include "muonlab/train/evaluation.hpp"
#include "muonlab/train/step.hpp"

namespace muonlab::train {

class MetricsLog {
 public:
  // Opens both files for appending; metrics.jsonl is first cut to `metrics_bytes`, the length at
  // the checkpoint that the run resumes from. Throws base::Error when the file is shorter than
  // that.
  MetricsLog(const std::string& metrics_path, const std::string& timing_path, int64_t metrics_bytes,
             std::vector<std::string> optimizer_names,
             base::FileSystem& files = base::real_file_system());

  void step(const StepRecord& record, int64_t tokens_per_step);
  void evaluation(int64_t step, const Evaluation& evaluation);
  // Makes all lines so far durable and returns the length of metrics.jsonl.
  int64_t sync();

 private:
  base::LineFile metrics_, timing_;
  std::vector<std::string> optimizer_names_;
};

}  // namespace muonlab::train
