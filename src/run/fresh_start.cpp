#include "fresh_start.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/log.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::run {
namespace {

int64_t last_step(const std::string& metrics_path) {
  const base::MappedFile file = base::map_file(metrics_path);
  int64_t last = 0;
  for (const std::string& line : base::split(file.text(), '\n')) {
    const nlohmann::json json = nlohmann::json::parse(line, nullptr, false);
    if (!json.is_object() || !json.contains("step") || !json["step"].is_number_integer()) continue;
    last = std::max(last, json["step"].get<int64_t>());
  }
  return last;
}

// The step of the first checkpoint by the settings stored with the run; 0 when they do not say.
int64_t first_save(const RunFolder& folder) {
  if (!base::real_file_system().exists(folder.resolved())) return 0;
  const nlohmann::json json = nlohmann::json::parse(base::read_text(folder.resolved()), nullptr, false);
  const nlohmann::json::json_pointer every("/checkpoint/every");
  return json.is_object() && json.contains(every) && json[every].is_number_integer() ? json[every].get<int64_t>() : 0;
}

}  // namespace

void accept_fresh_start(const RunFolder& folder) {
  if (!base::real_file_system().exists(folder.metrics())) return;
  const int64_t last = last_step(folder.metrics());
  if (last == 0) return;
  const int64_t first = first_save(folder);
  // The step after a save is taken only once the save succeeded.
  if (first > 0 && last > first) {
    throw base::Error(folder.metrics(), ": records steps up to ", last, ", but ", folder.checkpoints(),
                      " holds no checkpoint, though one was due every ", first,
                      " steps; starting over would cut the record. Put the checkpoints back, or choose another folder "
                      "with --run-dir");
  }
  base::log_warning(folder.metrics(), ": records steps up to ", last,
                    ", but no checkpoint was made; the run starts over at step 0");
}

}  // namespace muonlab::run
