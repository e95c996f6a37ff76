// How the searches of a sweep find their settings. Each is replayed from its start whenever a run
// has ended, so what it asks for depends on the losses alone, not on the order of the runs.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "muonlab/config/sweep.hpp"
#include "muonlab/study/sweep/plan.hpp"

namespace muonlab::study {

struct TrialRequest {
  std::string name;           // of the trial among those of its search: "-adam.lr_0.002"
  std::vector<double> rates;  // one a RateGrid
  int64_t steps = 0;          // train.steps of a round before the full length; 0: that
  std::optional<int64_t> seed;
};
// The index of the trial's cell in the plan and its loss, absent while unknown and infinite where
// it diverged. No index where its settings make no configuration.
struct TrialAnswer {
  std::optional<size_t> cell;
  std::optional<double> loss;
};
using TryRates = std::function<TrialAnswer(const TrialRequest&)>;

// Fills trials, best and the rest of `search`, whose rates are the grids to begin with. Without a
// best and not all diverged, the search waits for the trials that have no loss yet.
void run_search(const config::TuneStage& stage, RateSearch& search, const TryRates& try_rates);

}  // namespace muonlab::study
