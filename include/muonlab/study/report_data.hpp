// What a report shows, collected from runs' folders: no text of a page yet.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "muonlab/study/run_record.hpp"

namespace muonlab::study {

// Runs that differ in no more than their seed, name and block: one row of an ablation, one colour everywhere.
struct ReportRow {
  std::string label;
  int colour = 0, dash = 0;  // page::colour; 0 is kept for Adam on everything, 1 for Muon on all matrices
};

// A mean over a run's matrices of one role, by step.
struct Trace {
  std::vector<int64_t> steps;
  std::vector<double> values;
};
// What was measured ("weight", "gradient", "momentum", "update", "attention"), the measure ("stable_rank"), the role
// ("v"; "ov" for the heads' products; "attention" for the largest logit).
struct TraceKey {
  std::string of, measure, role;
  auto operator<=>(const TraceKey&) const = default;
};

// Accuracy of a frequency group or an attribute, by step.
struct TailTrace {
  std::vector<int64_t> steps;
  std::vector<double> first_token, exact, loss;  // shares, shares, nats
  int64_t questions = 0;
};

struct AssignmentLine {
  std::string parameter, role, shape, optimizer, rule, learning_rate, decay, selectors;
};

struct ReportRun {
  RunRecord record;
  size_t row = 0, block = 0;  // indices of ReportData::rows, blocks
  std::vector<AssignmentLine> assignment;
  std::map<TraceKey, Trace> spectra;
  std::map<int64_t, TailTrace> groups;
  std::map<std::string, TailTrace> attributes;
  double seconds = 0;  // of training, all steps
};

struct ReportData {
  std::string title;
  std::vector<std::string> paths;  // as given
  std::vector<ReportRow> rows;
  std::vector<std::string> blocks;  // one of the name "" where nothing but rows and seeds differs
  std::vector<ReportRun> runs;      // by block, row, seed
};

// A path is a run, a sweep, or a folder with runs below it. Throws base::Error naming a path that holds no run and what
// to do, or a run that cannot be read.
ReportData collect_report(const std::vector<std::string>& paths);

// Indices into ReportData::runs of a block's row, by seed.
std::vector<size_t> members(const ReportData& data, size_t block, size_t row);

}  // namespace muonlab::study
