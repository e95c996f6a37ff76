// What a run left in its folder, read back for tables, comparisons and reports.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "muonlab/config/run.hpp"
#include "muonlab/record/history.hpp"
#include "muonlab/record/progress.hpp"

namespace muonlab::record {

struct TrainPoint {
  int64_t step, tokens;  // after that step
  double loss;           // mean nats a token of the step's batch
  double grad_norm;      // global, before clipping
};
struct Validation {
  int64_t step;
  double loss, perplexity, bits_per_byte;
  std::map<std::string, Validation> sets{};  // of data.valid_sets, by name; these have no sets
};
struct StepTiming {
  int64_t step;
  double seconds;  // forward + backward + optimizer
  double tokens_per_s, peak_rss_mb;
  double optimizer_s;  // of those seconds
};

struct RunRecord {
  std::string path, name;
  config::RunConfig config;  // resolved
  int64_t num_parameters = 0;
  int64_t steps = 0;  // planned
  int64_t tokens_per_step = 0;
  RunState state = RunState::stopped;
  // By step, each once: lines that a crash left beyond the last checkpoint and that came again
  // count in their last form.
  std::vector<TrainPoint> train;
  std::vector<Validation> validations;
  std::vector<StepTiming> timing;
  std::string commit, processor;
  History history{};            // empty for a run made before there was one
  std::string data_identity{};  // see below

  // Tokens that the run has trained on after so many steps, as its metrics have it; between two
  // steps in proportion.
  double tokens_after(double step) const;
  bool finished() const { return state == RunState::finished; }
  bool diverged() const { return state == RunState::diverged; }
};

// The validations of a run alone, by step; empty where there are none.
std::vector<Validation> read_validations(const std::string& path);
// Throws base::Error: no run's folder there, or a resolved.json that cannot be read. Absent metrics
// leave empty rows.
RunRecord read_run(const std::string& path);

// Hash of all token ids and the tokenizer, as the newest checkpoint has it; empty without one.
std::string data_identity(const RunFolder& folder);

}  // namespace muonlab::record
