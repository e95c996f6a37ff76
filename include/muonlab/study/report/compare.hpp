// Runs laid over each other: what was set differently, where they part, how well and how fast they
// learned.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "muonlab/record/run_record.hpp"

namespace muonlab::study {

// A setting by run, as JSON; empty where a run does not have it.
struct SettingDifference {
  std::string path;
  std::vector<std::string> values;
};

// The first step that all runs recorded and at which their training losses are not the same number.
struct Parting {
  int64_t step;
  std::vector<double> losses;  // by run
  double spread;               // largest - smallest
};

// Where a run's validation loss first is as low as the target; straight lines between validations.
struct Reached {
  double step, tokens;
};

struct RunFigures {
  std::optional<double> train_loss{};  // of the last recorded step's batch
  std::optional<record::Validation> last{}, best{};
  std::optional<double> tokens_per_s{};  // median over steps
  // of the seconds of forward, backward and optimizer, all steps together
  std::optional<double> optimizer_share{};
  std::optional<Reached> reached{};
};

struct Comparison {
  std::vector<record::RunRecord> runs;
  std::vector<RunFigures> figures;          // by run
  std::vector<SettingDifference> settings;  // all but the name
  int64_t common_steps = 0;                 // recorded by all
  std::optional<Parting> parting;           // absent where all common steps are equal
  // validation loss to reach; absent where a run has no validation
  std::optional<double> target;
};

// The target is by default the worst of the runs' best validation losses: one that all reach.
// Throws base::Error naming a run that has recorded nothing yet.
Comparison compare_runs(std::vector<record::RunRecord> runs, std::optional<double> target = {});

// For a terminal of `width` columns; runs are called A, B, C and so on. With colour their curves
// have one each.
std::string comparison_text(const Comparison& comparison, size_t width = 100, bool colour = false);
nlohmann::ordered_json comparison_json(const Comparison& comparison);

}  // namespace muonlab::study
