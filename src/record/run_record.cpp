#include "muonlab/record/run_record.hpp"

#include <algorithm>
#include <limits>
#include <map>

#include <nlohmann/json.hpp>

#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/record/json_lines.hpp"
#include "muonlab/record/run_folder.hpp"
#include "muonlab/store/checkpoint.hpp"

namespace muonlab::record {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

template <class Row>
std::vector<Row> in_order(const std::map<int64_t, Row>& rows) {
  std::vector<Row> list;
  list.reserve(rows.size());
  for (const auto& [step, row] : rows) list.push_back(row);
  return list;
}

Validation validation_in(const nlohmann::json& json, int64_t step) {
  Validation validation{step, number_in(json, "val_loss", kNone),
                        number_in(json, "val_perplexity", kNone),
                        number_in(json, "val_bits_per_byte", kNone)};
  const auto sets = json.find("sets");
  if (sets == json.end() || !sets->is_object()) return validation;
  for (const auto& [name, numbers] : sets->items()) {
    if (numbers.is_object()) validation.sets.emplace(name, validation_in(numbers, step));
  }
  return validation;
}

void read_metrics(const std::string& path, RunRecord& record) {
  std::map<int64_t, TrainPoint> train;
  std::map<int64_t, Validation> validations;
  each_json_line(path, [&](const nlohmann::json& json) {
    const int64_t step = count_in(json, "step");
    if (json.contains("val_loss")) {
      validations[step] = validation_in(json, step);
    } else {
      train[step] = {step, count_in(json, "tokens"), number_in(json, "loss", kNone),
                     number_in(json, "grad_norm", kNone)};
    }
  });
  record.train = in_order(train);
  record.validations = in_order(validations);
}

void read_timing(const std::string& path, RunRecord& record) {
  std::map<int64_t, StepTiming> timing;
  each_json_line(path, [&](const nlohmann::json& json) {
    const int64_t step = count_in(json, "step");
    const double optimizer_s = number_in(json, "optimizer_s", 0);
    const double seconds =
        number_in(json, "forward_s", 0) + number_in(json, "backward_s", 0) + optimizer_s;
    timing[step] = {step, seconds, number_in(json, "tokens_per_s", 0),
                    number_in(json, "peak_rss_mb", 0), optimizer_s};
  });
  record.timing = in_order(timing);
}

}  // namespace

double RunRecord::tokens_after(double step) const {
  const auto next = std::find_if(train.begin(), train.end(), [&](const TrainPoint& point) {
    return static_cast<double>(point.step) >= step;
  });
  if (next == train.end()) return step * static_cast<double>(tokens_per_step);
  const TrainPoint before = next == train.begin() ? TrainPoint{} : *(next - 1);
  const double share =
      (step - static_cast<double>(before.step)) / static_cast<double>(next->step - before.step);
  return static_cast<double>(before.tokens) +
         share * static_cast<double>(next->tokens - before.tokens);
}

std::string data_identity(const RunFolder& folder) {
  const std::vector<store::CheckpointEntry> entries = store::list_checkpoints(folder.checkpoints());
  if (entries.empty()) return "";
  const nlohmann::json trainer = value_in(base::join_path(entries.back().path, "trainer.json"));
  return trainer.is_object() ? text_in(trainer, "data") : "";
}

std::vector<Validation> read_validations(const std::string& path) {
  std::map<int64_t, Validation> validations;
  each_json_line(RunFolder(path).metrics(), [&](const nlohmann::json& json) {
    const int64_t step = count_in(json, "step");
    if (json.contains("val_loss")) validations[step] = validation_in(json, step);
  });
  return in_order(validations);
}

RunRecord read_run(const std::string& path) {
  base::FileSystem& files = base::real_file_system();
  const RunFolder folder(path);
  if (!files.exists(folder.resolved())) {
    throw base::Error(
        path, ": is not a run's folder (it has no resolved.json). `muonlab runs` lists runs.");
  }
  RunRecord record;
  record.path = path;
  record.config =
      config::parse_stored_config(base::read_text(folder.resolved()), folder.resolved()).run;
  record.name = record.config.name;
  const nlohmann::json plan = value_in(folder.plan());
  if (plan.is_object()) {
    record.num_parameters = count_in(plan, "num_parameters");
    record.steps = count_in(plan, "steps");
    record.tokens_per_step = count_in(plan, "tokens_per_step");
  }
  const nlohmann::json build = value_in(folder.build());
  if (build.is_object()) record.commit = text_in(build, "commit");
  if (build.is_object()) record.processor = text_in(build, "processor");
  record.data_identity = data_identity(folder);
  if (files.exists(folder.metrics())) read_metrics(folder.metrics(), record);
  if (files.exists(folder.timing())) read_timing(folder.timing(), record);
  record.history = read_history(folder.history());
  record.state = read_progress(folder).state;
  return record;
}

}  // namespace muonlab::record
