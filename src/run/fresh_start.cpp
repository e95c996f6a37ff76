#include "fresh_start.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/log.hpp"
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

void accept_fresh_start(const record::RunFolder& folder) {
  if (!base::real_file_system().exists(folder.metrics())) return;
  const auto [first, last] = recorded_steps(folder.metrics());
  if (last == 0) return;
  const int64_t every = save_interval(folder);
  // The step after a save is taken only once the save succeeded. A branch records steps from its
  // branching on.
  if (every > 0 && (last - 1) / every * every >= first) {
    throw base::Error(folder.metrics(), ": records steps up to ", last, ", but ",
                      folder.checkpoints(), " holds no checkpoint, though one was due every ",
                      every,
                      " steps; starting over would cut the record. Put the checkpoints back, or "
                      "choose another folder "
                      "with --run-dir");
  }
  base::log_warning(folder.metrics(), ": records steps up to ", last,
                    ", but no checkpoint was made; the run starts over at step 0");
}

}  // namespace muonlab::run
