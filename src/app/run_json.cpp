#include "run_json.hpp"

#include <algorithm>

#include "muonlab/record/progress.hpp"
#include "muonlab/record/run_record.hpp"
#include "muonlab/store/checkpoint.hpp"
#include "muonlab/study/sweep/sweep.hpp"

namespace muonlab::app {
namespace {

using Json = nlohmann::ordered_json;

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json validation_json(const record::Validation& validation) {
  return {{"val_loss", validation.loss},
          {"val_perplexity", validation.perplexity},
          {"val_bits_per_byte", validation.bits_per_byte}};
}

const char* state_name(study::CellState state) {
  switch (state) {
    case study::CellState::queued: return "queued";
    case study::CellState::running: return "running";
    case study::CellState::finished: return "finished";
    case study::CellState::diverged: return "diverged";
    case study::CellState::failed: return "failed";
  }
  return "";
}

}  // namespace

Json run_json(const std::string& folder) {
  const record::RunFolder run(folder);
  const record::RunProgress progress = record::read_progress(run);
  Json json{{"path", folder},
            {"state", record::state_name(progress.state)},
            {"step", progress.step},
            {"steps", progress.steps},
            {"loss", or_null(progress.loss)},
            {"val_loss", or_null(progress.val_loss)}};
  std::vector<record::Validation> validations;
  if (base::real_file_system().exists(run.metrics()))
    validations = record::read_validations(folder);
  if (!validations.empty()) {
    const record::Validation& last = validations.back();
    json["val_step"] = last.step;
    json["val_perplexity"] = last.perplexity;
    json["val_bits_per_byte"] = last.bits_per_byte;
    for (const auto& [name, set] : last.sets) json["sets"][name] = validation_json(set);
    const auto best =
        std::min_element(validations.begin(), validations.end(),
                         [](const auto& a, const auto& b) { return a.loss < b.loss; });
    json["best_val_loss"] = best->loss;
    json["best_step"] = best->step;
  }
  const auto checkpoints = store::list_checkpoints(run.checkpoints());
  json["checkpoint"] = checkpoints.empty() ? Json(nullptr) : Json(checkpoints.back().path);
  return json;
}

Json sweep_json(const std::string& folder) {
  const study::SweepResult sweep = study::read_sweep(folder);
  using enum study::CellState;
  Json json{{"path", folder}};
  for (const study::CellState state : {finished, running, queued, diverged, failed}) {
    json[state_name(state)] = std::count_if(
        sweep.cells.begin(), sweep.cells.end(),
        [state](const study::CellResult& cell) { return cell.status.state == state; });
  }
  json["waiting_for_a_search"] = sweep.num_waiting;
  json["cells"] = Json::array();
  for (const study::CellResult& cell : sweep.cells) {
    json["cells"].push_back({{"name", cell.name},
                             {"path", cell.path},
                             {"state", state_name(cell.status.state)},
                             {"step", cell.status.step},
                             {"steps", cell.status.steps},
                             {"val_loss", or_null(cell.status.val_loss)}});
  }
  return json;
}

}  // namespace muonlab::app
