#include "fresh_start.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/log.hpp"
#include "muonlab/record/history.hpp"
#include "muonlab/record/json_lines.hpp"

namespace muonlab::run {
namespace {

struct Recorded {
  int64_t first = 0, last = 0;  // training steps in metrics.jsonl; 0: none
};

Recorded recorded_steps(const std::string& metrics_path) {
  Recorded steps;
  record::each_json_line(metrics_path, [&](const nlohmann::json& json) {
    const int64_t step = record::count_in(json, "step");
    if (steps.first == 0) steps.first = step;
    steps.last = std::max(steps.last, step);
  });
  return steps;
}

// Steps between checkpoints by the settings stored with the run; 0 when they do not say.
int64_t save_interval(const record::RunFolder& folder) {
  if (!base::real_file_system().exists(folder.resolved())) return 0;
  const nlohmann::json json =
      nlohmann::json::parse(base::read_text(folder.resolved()), nullptr, false);
  const nlohmann::json::json_pointer every("/checkpoint/every");
  return json.is_object() && json.contains(every) && json[every].is_number_integer()
             ? json[every].get<int64_t>()
             : 0;
}

}  // namespace

void accept_fresh_start(const record::RunFolder& folder, int64_t step) {
  if (!base::real_file_system().exists(folder.metrics())) return;
  const auto [first, last] = recorded_steps(folder.metrics());
  if (last == 0) return;
  const int64_t every = save_interval(folder);
  // A periodic save is written while the run trains on, and ends before the next one begins: in a
  // run that was killed the last one that was due may be missing, the one before it may not. A run
  // that ended by itself has waited for all. A branch records steps from its branching on.
  const bool ended = record::read_history(folder.history()).end.has_value();
  const int64_t due = every > 0 ? (last - 1) / every - (ended ? 0 : 1) : 0;
  if (due * every >= first) {
    throw base::Error(folder.metrics(), ": records steps up to ", last, ", but ",
                      folder.checkpoints(), " holds no checkpoint, though one was due every ",
                      every,
                      " steps; starting over would cut the record. Put the checkpoints back, or "
                      "choose another folder "
                      "with --run-dir");
  }
  base::log_warning(folder.metrics(), ": records steps up to ", last,
                    ", but no checkpoint was made; the run starts over at step ", step);
}

}  // namespace muonlab::run
