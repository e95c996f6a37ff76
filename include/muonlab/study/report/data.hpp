// The data of a report, collected from runs' folders. The text of the page is made elsewhere.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "muonlab/record/run_record.hpp"
#include "muonlab/study/ablation/ablation.hpp"
#include "muonlab/study/report/comparability.hpp"
#include "muonlab/study/sweep/sweep.hpp"

namespace muonlab::study {

// A row of an ablation, or runs that differ in no more than their seed and name. One colour
// everywhere.
struct ReportRow {
  std::string label;
  std::optional<int> colour{};  // page::colour, never absent in the end; 0 is Adam's, 1 is Muon's
  int marker = 0;               // page::line_sample
};

// A mean over a run's matrices of one role, by step.
struct Trace {
  std::vector<int64_t> steps;
  std::vector<double> values;
};
// What was measured ("weight", "gradient", "momentum", "update", "attention"), the measure
// ("stable_rank"), the role ("v"; "ov" for the heads' products; "attention" for the largest logit).
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

// How much the loss curves along a step's update (docs/formats.md, sharpness.jsonl).
struct SharpnessPoint {
  int64_t step = 0;
  double loss = 0;                     // nats, of the step's batch before the step
  double nds = 0;                      // normalized directional sharpness
  double within = 0;                   // the part of nds from within blocks
  double gradient = 0, curvature = 0;  // I1 and I2, nats
};

// How far a step moved the rows of a group of tokens (docs/formats.md, token_rows.jsonl).
struct TokenRowsPoint {
  int64_t step = 0;
  std::string of;     // "embed", "head"
  int64_t group = 0;  // tokens counted from 2^(group-1) to 2^group - 1 times
  double update_rms = 0;
  double in_step = 0;  // the same over the step's tokens alone; NaN where it held none
};

struct AssignmentLine {
  std::string parameter, role, shape, optimizer, rule, learning_rate, decay, selectors;
};

struct ReportRun {
  record::RunRecord record;
  size_t row = 0, block = 0;    // indices into ReportData::rows, blocks
  size_t group = 0;             // of the runs whose losses are comparable with this one's
  std::string branched_from{};  // the checkpoint that it started from; empty where from none
  std::vector<AssignmentLine> assignment;
  std::map<TraceKey, Trace> spectra;
  std::vector<SharpnessPoint> sharpness;  // of the steps that moved the weights
  std::vector<TokenRowsPoint> token_rows;
  std::map<int64_t, TailTrace> groups;
  std::map<std::string, TailTrace> attributes;
  double seconds = 0;  // of training, all steps
};

// Which rows of a block know the facts of a frequency group better than its baseline.
struct GroupAnswer {
  int64_t group;
  // Its losses are shares of questions whose first token was wrong at a run's last probe: a gain is
  // one in accuracy.
  AblationAnswer answer;
};

// Which rows of a block are better than its baseline on a set of data.valid_sets.
struct SetAnswer {
  std::string set;
  AblationAnswer answer;
};

// A combination of all axes but the compared one.
struct ReportBlock {
  std::string title;  // "protocol fair"; empty where there is one block only
  // of it what does not name the sweep: two sweeps' blocks of one kind have the same
  std::string kind{};
  // Where a sweep compares rows and their losses are comparable.
  std::optional<AblationAnswer> answer{};
  std::vector<GroupAnswer> groups{};  // by group, where its runs have the tail probe too
  std::vector<SetAnswer> sets{};      // by name, where its runs have named validation sets too
};

struct ReportData {
  std::string title;
  std::vector<std::string> paths;  // as given
  std::vector<SweepResult> sweeps;
  std::vector<std::string> sweep_names;  // before the titles of their blocks; empty: it is alone
  std::vector<ReportRow> rows;
  std::vector<ReportBlock> blocks;
  std::vector<ReportRun> runs;    // by block, row, seed; without the runs of a search for rates
  bool complete = true;           // nothing is left to run
  bool begun = false;             // a run, or a trial of a search, has begun
  Comparability comparability{};  // of all runs
  size_t num_groups = 1;          // of comparable runs
};

// A path is a run, a sweep, or a folder with runs or sweeps below it. Throws base::Error naming a
// path that holds no run and what to do, or a run that cannot be read. No runs at all: sweeps that
// have not begun.
ReportData collect_report(const std::vector<std::string>& paths);

// Indices into ReportData::runs of a block's row, by seed.
std::vector<size_t> members(const ReportData& data, size_t block, size_t row);

}  // namespace muonlab::study
