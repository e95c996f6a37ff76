#include "muonlab/study/report_data.hpp"

#include <algorithm>
#include <set>

#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/run/folder.hpp"
#include "muonlab/run/listing.hpp"
#include "run_probes.hpp"

namespace muonlab::study {
namespace {

ReportRun read_report_run(const std::string& path) {
  ReportRun run;
  run.record = read_run(path);
  for (const StepTiming& timing : run.record.timing) run.seconds += timing.seconds;
  read_assignment(run::RunFolder(path).assignment(), run);
  read_spectra(base::join_path(path, "spectra.jsonl"), run);
  read_tail(base::join_path(path, "tail.jsonl"), run);
  return run;
}

// The folders of the runs at or below a path, by name.
std::vector<std::string> runs_below(const std::string& path) {
  base::FileSystem& files = base::real_file_system();
  if (!files.exists(path))
    throw base::Error(path, ": no such run, sweep or folder; `muonlab runs` lists the runs here");
  if (!files.is_directory(base::join_path(path, "")))
    throw base::Error(path, ": is a file; a report is made of a run's or a sweep's folder");
  if (files.exists(run::RunFolder(path).resolved())) return {path};
  std::vector<std::string> found;
  for (const run::RunSummary& summary : run::list_runs(path)) found.push_back(summary.path);
  if (found.empty())
    throw base::Error(path, ": holds no run; a run's folder has a resolved.json (`muonlab train CONFIG` makes one)");
  std::sort(found.begin(), found.end());
  return found;
}

// What makes two runs the same row: everything but the seed and the name.
std::string row_key(const config::RunConfig& run) {
  config::RunConfig key = run;
  key.name = "";
  key.seed = 0;
  return config::dump_config(key);
}

// What the names of a row's runs have in common, without the separator and the word that the seed's number leaves.
std::string common_name(const std::vector<std::string>& names) {
  std::string common = names.front();
  for (const std::string& name : names) {
    const auto [end, other] = std::mismatch(common.begin(), common.end(), name.begin(), name.end());
    common.erase(end, common.end());
  }
  if (names.size() > 1) {
    for (const std::string& tail : {std::string("seed"), std::string("s")}) {
      while (!common.empty() && std::string_view("-_=.,").find(common.back()) != std::string_view::npos)
        common.pop_back();
      if (common.size() > tail.size() + 1 && common.ends_with(tail) &&
          !std::isalnum(static_cast<unsigned char>(common[common.size() - tail.size() - 1]))) {
        common.resize(common.size() - tail.size());
      }
    }
  }
  return common.empty() ? names.front() : common;
}

std::set<std::string> rules_of_matrices(const ReportRun& run) {
  std::set<std::string> rules;
  for (const AssignmentLine& line : run.assignment) {
    if (line.role != "embed" && line.role != "head" && line.role != "norm") rules.insert(line.rule);
  }
  return rules;
}

// Adam on every matrix gets colour 0, Muon on every one colour 1, the first of each; the others the rest, then dashes.
void colour_rows(ReportData& data) {
  std::vector<bool> done(data.rows.size());
  for (const auto& [rule, colour] : {std::pair{"adamw", 0}, std::pair{"muon", 1}}) {
    for (const ReportRun& run : data.runs) {
      if (done[run.row] || rules_of_matrices(run) != std::set<std::string>{rule}) continue;
      data.rows[run.row].colour = colour;
      done[run.row] = true;
      break;
    }
  }
  int next = 0;
  for (size_t i = 0; i < data.rows.size(); ++i) {
    if (done[i]) continue;
    data.rows[i].colour = 2 + next % 6;
    data.rows[i].dash = next / 6 % 4;
    ++next;
  }
}

void group_rows(ReportData& data) {
  std::vector<std::string> keys;
  std::vector<std::vector<std::string>> names;
  for (ReportRun& run : data.runs) {
    const std::string key = row_key(run.record.config);
    run.row = static_cast<size_t>(std::find(keys.begin(), keys.end(), key) - keys.begin());
    if (run.row == keys.size()) {
      keys.push_back(key);
      names.emplace_back();
    }
    names[run.row].push_back(base::base_name(run.record.path));
  }
  for (const auto& list : names) data.rows.push_back({common_name(list)});
  data.blocks = {""};
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
  std::set<std::string> seen;
  for (std::string& path : data.paths) {
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    for (const std::string& folder : runs_below(path)) {
      if (seen.insert(folder).second) data.runs.push_back(read_report_run(folder));
    }
  }
  data.title = paths.size() == 1 ? base::base_name(data.paths.front()) : base::str(data.runs.size(), " runs");
  group_rows(data);
  std::stable_sort(data.runs.begin(), data.runs.end(), [](const ReportRun& a, const ReportRun& b) {
    return std::tuple(a.block, a.row, a.record.config.seed) < std::tuple(b.block, b.row, b.record.config.seed);
  });
  colour_rows(data);
  return data;
}

}  // namespace muonlab::study
