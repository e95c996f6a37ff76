#include "muonlab/study/report/data.hpp"

#include <algorithm>
#include <set>

#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/record/json_lines.hpp"
#include "muonlab/record/listing.hpp"
#include "muonlab/record/run_folder.hpp"
#include "muonlab/study/sweep/answer.hpp"
#include "rows.hpp"
#include "run_probes.hpp"
#include "study/report/tail_answer.hpp"
#include "study/report/valid_sets.hpp"

namespace muonlab::study {
namespace {

ReportRun read_report_run(const std::string& path) {
  ReportRun run;
  run.record = record::read_run(path);
  for (const record::StepTiming& timing : run.record.timing) run.seconds += timing.seconds;
  const nlohmann::json origin = record::value_in(record::RunFolder(path).origin());
  if (origin.is_object()) run.branched_from = record::text_in(origin, "checkpoint");
  read_assignment(record::RunFolder(path).assignment(), run);
  read_spectra(record::RunFolder(path).probe("spectra"), run);
  read_sharpness(record::RunFolder(path).probe("sharpness"), run);
  read_token_rows(record::RunFolder(path).probe("token_rows"), run);
  read_tail(record::RunFolder(path).probe("tail"), run);
  return run;
}

size_t block_index(ReportData& data, const std::string& title) {
  const auto found = std::find_if(data.blocks.begin(), data.blocks.end(),
                                  [&](const ReportBlock& block) { return block.title == title; });
  if (found != data.blocks.end()) return static_cast<size_t>(found - data.blocks.begin());
  data.blocks.push_back({title});
  return data.blocks.size() - 1;
}

bool is_run_folder(const std::string& path) {
  return base::real_file_system().exists(record::RunFolder(path).resolved());
}

// The sweeps that a path stands for: itself, or those in the folder.
std::vector<std::string> sweeps_at(const std::string& path) {
  if (is_sweep_folder(path)) return {path};
  return is_run_folder(path) ? std::vector<std::string>{} : sweeps_in(path);
}

// The folders of the runs at or below a path that are not a sweep's cells, by name.
std::vector<std::string> runs_at(const std::string& path) {
  if (is_sweep_folder(path)) return {};
  if (is_run_folder(path)) return {path};
  std::vector<std::string> found;
  for (const record::RunSummary& summary : record::list_runs(path)) found.push_back(summary.path);
  if (found.empty() && sweeps_in(path).empty()) {
    throw base::Error(
        path,
        ": holds no run; a run's folder has a resolved.json (`muonlab train CONFIG` makes one)");
  }
  std::sort(found.begin(), found.end());
  return found;
}

void add_runs(ReportData& data, const std::string& path) {
  std::vector<ReportRun> runs;
  for (const std::string& folder : runs_at(path)) {
    const bool seen = std::any_of(data.runs.begin(), data.runs.end(),
                                  [&](const ReportRun& run) { return run.record.path == folder; });
    if (seen) continue;
    runs.push_back(read_report_run(folder));
    data.complete = data.complete && runs.back().record.finished();
  }
  if (runs.empty()) return;
  const size_t block = block_index(data, "");
  for (ReportRun& run : runs) {
    run.block = block;
    data.runs.push_back(std::move(run));
  }
}

// Its folder's name where that is of one sweep only, else its path.
std::string name_among(const std::string& path, const std::vector<std::string>& sweeps) {
  const std::string name = base::base_name(path);
  const auto same = [&](const std::string& other) { return base::base_name(other) == name; };
  return std::count_if(sweeps.begin(), sweeps.end(), same) == 1 ? name : path;
}

// `name` stands before the titles of its blocks; empty where it is the only sweep.
void add_sweep(ReportData& data, const std::string& path, const std::string& name) {
  const SweepResult sweep = read_sweep(path);
  const auto title = [&](const std::string& block) {
    return titled_block(name, sweep.config, block);
  };
  add_sweep_rows(data, sweep.config);
  for (const std::string& block : block_names(sweep)) block_index(data, title(block));
  for (const Point& point : sweep.points) {
    const CellResult& cell = sweep.cells[point.cell];
    if (!base::real_file_system().exists(record::RunFolder(cell.path).resolved())) continue;
    data.runs.push_back(read_report_run(cell.path));
    data.runs.back().row = row_index(data, sweep.config.label(point.row));
    data.runs.back().block = block_index(data, title(point.block));
  }
  const std::vector<std::string> names = block_names(sweep);
  const std::vector<AblationAnswer> answers = sweep_answers(sweep);
  for (size_t i = 0; i < answers.size(); ++i)
    data.blocks[block_index(data, title(names[i]))].answer = answers[i];
  for (const std::string& block : names)
    data.blocks[block_index(data, title(block))].kind = block_title(sweep.config, block);
  for (const CellResult& cell : sweep.cells) {
    const bool over =
        cell.status.state != CellState::queued && cell.status.state != CellState::running;
    data.complete = data.complete && over;
  }
  // Points whose search found nothing wait for ever.
  const bool searches_end =
      std::all_of(sweep.searches.begin(), sweep.searches.end(),
                  [](const RateSearch& search) { return search.best || search.all_diverged; });
  data.complete = data.complete && (sweep.num_waiting == 0 || searches_end);
  data.begun |= std::any_of(sweep.cells.begin(), sweep.cells.end(), [](const CellResult& cell) {
    return cell.status.state != CellState::queued;
  });
  data.sweeps.push_back(sweep);
  data.sweep_names.push_back(name);
}

// Which losses are comparable. A block that mixes runs whose are not has no answer.
void group_comparable(ReportData& data) {
  std::vector<const record::RunRecord*> records;
  for (const ReportRun& run : data.runs) records.push_back(&run.record);
  data.comparability = comparability(records);
  const std::vector<std::vector<size_t>> groups = comparable_groups(records);
  data.num_groups = std::max<size_t>(1, groups.size());
  for (size_t group = 0; group < groups.size(); ++group) {
    for (const size_t i : groups[group]) data.runs[i].group = group;
  }
  std::vector<std::optional<size_t>> of_block(data.blocks.size());
  for (const ReportRun& run : data.runs) {
    std::optional<size_t>& group = of_block[run.block];
    if (group && *group != run.group) data.blocks[run.block].answer.reset();
    group = run.group;
  }
}

}  // namespace

std::vector<size_t> members(const ReportData& data, size_t block, size_t row) {
  std::vector<size_t> found;
  for (size_t i = 0; i < data.runs.size(); ++i) {
    if (data.runs[i].block == block && data.runs[i].row == row) found.push_back(i);
  }
  return found;
}

ReportData collect_report(const std::vector<std::string>& paths) {
  ReportData data;
  data.paths = paths;
  std::vector<std::string> sweeps;
  for (std::string& path : data.paths) {
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    if (!base::real_file_system().exists(path))
      throw base::Error(path, ": no such run, sweep or folder; `muonlab runs` lists the runs here");
    if (!base::real_file_system().is_directory(base::join_path(path, ""))) {
      throw base::Error(path, ": is a file; a report is made of a run's or a sweep's folder");
    }
    for (const std::string& sweep : sweeps_at(path)) {
      if (std::find(sweeps.begin(), sweeps.end(), sweep) == sweeps.end()) sweeps.push_back(sweep);
    }
  }
  const bool is_alone = data.paths == sweeps && sweeps.size() == 1;
  for (const std::string& sweep : sweeps)
    add_sweep(data, sweep, is_alone ? "" : name_among(sweep, sweeps));
  const size_t num_sweep_runs = data.runs.size();
  for (const std::string& path : data.paths) add_runs(data, path);
  data.begun |= !data.runs.empty();
  group_rows(data, num_sweep_runs);
  std::stable_sort(data.runs.begin(), data.runs.end(), [](const ReportRun& a, const ReportRun& b) {
    return std::tuple(a.block, a.row, a.record.config.seed) <
           std::tuple(b.block, b.row, b.record.config.seed);
  });
  colour_rows(data);
  group_comparable(data);
  for (size_t block = 0; block < data.blocks.size(); ++block) {
    data.blocks[block].groups = group_answers(data, block);
    data.blocks[block].sets = set_answers(data, block);
  }
  data.title = paths.size() == 1 ? base::base_name(data.paths.front())
                                 : base::str(data.runs.size(), " runs");
  return data;
}

}  // namespace muonlab::study
