// The comparison of runs: which settings differ, where the losses first differ, how well and how
// fast the runs learned.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "muonlab/record/run_record.hpp"
#include "muonlab/study/report/comparability.hpp"

namespace muonlab::study {

// A setting by run, as JSON; empty where a run does not have it. Of a run that was resumed with
// another value it is the last one; RunRecord::history tells when it changed.
struct SettingDifference {
  std::string path;
  std::vector<std::string> values;
};

// The first step that all runs recorded and at which their training losses are not the same number.
struct FirstDifference {
  int64_t step;
  std::vector<double> losses;  // by run
  double spread;               // largest - smallest
};

// Where a run's validation loss first is as low as the target; straight lines between validations.
struct Reached {
  double step, tokens;
};

struct RunFigures {
  std::optional<double> train_loss{};        // of the last recorded step's batch
  std::optional<record::Validation> last{};  // neither this nor train_loss where the run diverged
  std::optional<record::Validation> best{};  // of the finite ones
  std::optional<double> tokens_per_s{};      // median over steps
  // of the seconds of forward, backward and optimizer, all steps together
  std::optional<double> optimizer_share{};
  std::optional<Reached> reached{};
};

struct Comparison {
  std::vector<record::RunRecord> runs;
  std::vector<RunFigures> figures;  // by run
  // All but the name; those too that have one last value but were changed at a resume.
  std::vector<SettingDifference> settings;
  Comparability comparability;
  int64_t common_steps = 0;  // recorded by all
  // Absent where all common steps are equal, and where the runs train on different data.
  std::optional<FirstDifference> first_difference;
  // validation loss to reach; absent where a run has no validation or the losses are not comparable
  std::optional<double> target;
};

// The target is by default the worst of the runs' best validation losses: one that all reach.
// Throws base::Error naming a run that has recorded nothing yet, and for a target where the losses
// are not comparable.
Comparison compare_runs(std::vector<record::RunRecord> runs, std::optional<double> target = {});

// A setting's value in a run over its time: "0.001, from step 163 on 0.0005"; "-" where the run
// does not have it. `last` is SettingDifference::values'.
std::string value_over_time(const record::RunRecord& run, const std::string& path,
                            const std::string& last);

// For a terminal of `width` columns; runs are called A, B, C and so on. With colour their curves
// have one each. What is not comparable is said first and is not set side by side.
std::string comparison_text(const Comparison& comparison, size_t width = 100, bool colour = false);
nlohmann::ordered_json comparison_json(const Comparison& comparison);

}  // namespace muonlab::study
