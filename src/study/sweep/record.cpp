#include <algorithm>

#include <nlohmann/json.hpp>

#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/record/json_lines.hpp"
#include "muonlab/study/sweep/sweep.hpp"

namespace muonlab::study {
namespace {

constexpr int kFormat = 1;
using Json = nlohmann::ordered_json;

Json search_json(const RateSearch& search, const SweepPlan& plan) {
  Json rates = Json::array(), trials = Json::array();
  for (const config::RateGrid& rate : search.rates)
    rates.push_back({{"paths", rate.paths}, {"grid", rate.grid}});
  for (const Trial& trial : search.trials) {
    trials.push_back({{"rates", trial.rates}, {"cell", plan.cells[trial.cell].name}});
    if (trial.steps > 0) trials.back()["steps"] = trial.steps;
    if (trial.seed) trials.back()["seed"] = *trial.seed;
  }
  Json json{{"block", search.block},
            {"row", search.row},
            {"rates", rates},
            {"trials", trials},
            {"best", search.best ? Json(*search.best) : Json()},
            {"at_edge", search.at_edge}};
  if (search.own_rates) json["own_rates"] = true;
  if (search.out_of_runs) json["out_of_runs"] = true;
  if (search.all_diverged) json["all_diverged"] = true;
  return json;
}

size_t cell_named(const SweepResult& result, const std::string& name) {
  const auto found = std::find_if(result.cells.begin(), result.cells.end(),
                                  [&](const CellResult& c) { return c.name == name; });
  if (found == result.cells.end()) throw Json::other_error::create(501, "no cell " + name, nullptr);
  return static_cast<size_t>(found - result.cells.begin());
}

void read_plan(const Json& json, SweepResult& result) {
  if (json.at("format") != kFormat) throw Json::other_error::create(501, "another format", nullptr);
  result.command = json.at("command").get<std::string>();
  result.num_waiting = json.at("waiting").get<int64_t>();
  const SweepFolder folder(result.path);
  for (const Json& cell : json.at("cells")) {
    const std::string name = cell.at("name").get<std::string>();
    if (!base::is_bare_name(name)) throw Json::other_error::create(501, "a bad name", nullptr);
    result.cells.push_back(
        {name, folder.cell(name), cell.at("tuning").get<bool>(), cell_status(folder, name)});
  }
  for (const Json& point : json.at("points")) {
    result.points.push_back({point.at("block").get<std::string>(),
                             point.at("row").get<std::string>(), point.at("seed").get<int64_t>(),
                             cell_named(result, point.at("cell").get<std::string>())});
  }
  for (const Json& from : json.at("searches")) {
    RateSearch search{.block = from.at("block").get<std::string>(),
                      .row = from.at("row").get<std::string>(),
                      .own_rates = from.value("own_rates", false),
                      .rates = {},
                      .trials = {},
                      .best = {},
                      .at_edge = from.at("at_edge").get<bool>(),
                      .out_of_runs = from.value("out_of_runs", false),
                      .all_diverged = from.value("all_diverged", false)};
    for (const Json& rate : from.at("rates")) {
      search.rates.push_back({rate.at("paths").get<std::vector<std::string>>(),
                              rate.at("grid").get<std::vector<double>>()});
    }
    for (const Json& trial : from.at("trials")) {
      const size_t cell = cell_named(result, trial.at("cell").get<std::string>());
      const CellStatus& status = result.cells[cell].status;
      search.trials.push_back({trial.at("rates").get<std::vector<double>>(),
                               cell,
                               status.state == CellState::finished ? status.val_loss : std::nullopt,
                               trial.value("steps", int64_t{0}),
                               {}});
      if (trial.contains("seed")) search.trials.back().seed = trial.at("seed").get<int64_t>();
    }
    if (!from.at("best").is_null()) search.best = from.at("best").get<std::vector<double>>();
    result.searches.push_back(std::move(search));
  }
}

}  // namespace

void write_sweep_record(const SweepFolder& folder, const config::SweepConfig& sweep,
                        const SweepPlan& plan) {
  Json cells = Json::array(), points = Json::array(), searches = Json::array();
  for (const Cell& cell : plan.cells)
    cells.push_back({{"name", cell.name}, {"tuning", cell.tuning}});
  for (const Point& point : plan.points) {
    points.push_back({{"block", point.block},
                      {"row", point.row},
                      {"seed", point.seed},
                      {"cell", plan.cells[point.cell].name}});
  }
  for (const RateSearch& search : plan.searches) searches.push_back(search_json(search, plan));
  const Json json{{"format", kFormat},    {"command", "muonlab sweep " + sweep.path},
                  {"cells", cells},       {"points", points},
                  {"searches", searches}, {"waiting", plan.num_waiting}};
  base::write_atomically(folder.sweep(), sweep.source_text);
  base::write_atomically(folder.plan(), record::json_text(json, 1) + "\n");
}

bool is_sweep_folder(const std::string& path) {
  base::FileSystem& files = base::real_file_system();
  const SweepFolder folder(path);
  return files.exists(folder.sweep()) && files.exists(folder.plan());
}

std::vector<std::string> sweeps_in(const std::string& folder) {
  base::FileSystem& files = base::real_file_system();
  std::vector<std::string> sweeps;
  if (!files.is_directory(base::join_path(folder, ""))) return sweeps;
  for (const std::string& name : files.list(folder)) {
    const std::string path = base::join_path(folder, name);
    if (is_sweep_folder(path)) sweeps.push_back(path);
  }
  std::sort(sweeps.begin(), sweeps.end());
  return sweeps;
}

SweepResult read_sweep(const std::string& path) {
  if (!is_sweep_folder(path)) {
    throw base::Error(path,
                      ": is not a sweep's folder (it has no sweep.json and plan.json). `muonlab "
                      "sweep FILE` makes one");
  }
  const SweepFolder folder(path);
  SweepResult result;
  result.path = path;
  result.config = config::parse_sweep(base::read_text(folder.sweep()), folder.sweep());
  result.config.name = base::base_name(path);
  try {
    read_plan(Json::parse(base::read_text(folder.plan())), result);
  } catch (const Json::parse_error& error) {
    throw base::Error(folder.plan(), ": is damaged at byte ", error.byte,
                      ". Repeat the sweep's command; it writes the file again");
  } catch (const Json::exception&) {
    throw base::Error(folder.plan(),
                      ": does not hold what `muonlab sweep` writes there. Repeat the "
                      "sweep's command; it writes the file again");
  }
  return result;
}

}  // namespace muonlab::study
