// muonlab spectra: singular values of checkpoints' matrices, averaged by role.
#include <cmath>
#include <iostream>
#include <map>
#include <memory>
#include <vector>

#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/base/text_table.hpp"
#include "muonlab/base/usage_error.hpp"
#include "muonlab/config/error.hpp"
#include "muonlab/record/json_lines.hpp"
#include "muonlab/run/session.hpp"
#include "muonlab/train/spectra.hpp"

namespace muonlab::app {
namespace {

using train::MatrixSpectrum;

struct SpectraOptions {
  std::vector<std::string> checkpoints, params{"matrices"};
  bool matrices = false, heads = false, json = false;
};

struct Measured {
  std::string checkpoint;  // as named
  int64_t step = 0;
  std::vector<MatrixSpectrum> matrices;
};

struct Measure {
  const char* name;
  int digits;
  double (*value)(const MatrixSpectrum&);
};
constexpr Measure kMeasures[] = {
    {"entropy", 4, [](const MatrixSpectrum& m) { return m.spectrum.entropy; }},
    {"eff. rank", 1, [](const MatrixSpectrum& m) { return m.spectrum.effective_rank; }},
    {"plain", 1, [](const MatrixSpectrum& m) { return m.spectrum.effective_rank_plain; }},
    {"top 10", 4, [](const MatrixSpectrum& m) { return m.spectrum.top10_energy; }},
    {"Q75/Q25", 2, [](const MatrixSpectrum& m) { return m.spectrum.q75_q25; }},
    {"stable", 1, [](const MatrixSpectrum& m) { return m.spectrum.stable_rank; }},
    {"nuclear", 1, [](const MatrixSpectrum& m) { return m.spectrum.nuclear_rank; }},
    {"condition", 1, [](const MatrixSpectrum& m) { return m.spectrum.condition; }},
    {"rms", 5, [](const MatrixSpectrum& m) { return m.rms; }},
};

// The mean over the matrices where the measure is defined; "-" where it is nowhere.
std::string mean_text(const Measure& measure, const std::vector<const MatrixSpectrum*>& matrices) {
  double sum = 0;
  int64_t count = 0;
  for (const MatrixSpectrum* matrix : matrices) {
    const double value = measure.value(*matrix);
    if (!std::isfinite(value)) continue;
    sum += value;
    ++count;
  }
  return count > 0 ? base::fixed(sum / static_cast<double>(count), measure.digits) : "-";
}

// Matrices by what a row stands for, in the order of their first.
struct Rows {
  std::vector<std::string> names;
  // by row, by checkpoint
  std::map<std::string, std::map<size_t, std::vector<const MatrixSpectrum*>>> members;
};

std::string row_name(const MatrixSpectrum& matrix, bool each_matrix) {
  const std::string head = matrix.head < 0 ? ""
                           : each_matrix   ? base::str(" head ", matrix.head)
                                           : " heads";
  return (each_matrix ? matrix.name : matrix.role) + head;
}

Rows rows_of(const std::vector<Measured>& all, bool each_matrix) {
  Rows rows;
  for (size_t i = 0; i < all.size(); ++i) {
    for (const MatrixSpectrum& matrix : all[i].matrices) {
      const std::string name = row_name(matrix, each_matrix);
      if (!rows.members.contains(name)) rows.names.push_back(name);
      rows.members[name][i].push_back(&matrix);
    }
  }
  return rows;
}

void print_table(const std::vector<Measured>& all, bool each_matrix) {
  using enum base::TextColumn::Kind;
  const Rows rows = rows_of(all, each_matrix);
  std::vector<base::TextColumn> columns{{each_matrix ? "matrix" : "role"}, {"checkpoint"}};
  if (!each_matrix) columns.push_back({"count", number});
  for (const Measure& measure : kMeasures) columns.push_back({measure.name, number});
  base::TextTable table(columns);
  for (const std::string& name : rows.names) {
    for (const auto& [checkpoint, matrices] : rows.members.at(name)) {
      std::vector<std::string> cells{
          name, base::str(all[checkpoint].checkpoint, " step ", all[checkpoint].step)};
      if (!each_matrix) cells.push_back(base::str(matrices.size()));
      for (const Measure& measure : kMeasures) cells.push_back(mean_text(measure, matrices));
      table.add_row(std::move(cells));
    }
  }
  std::cout << table.text(base::table_width());
}

void print_json(const std::vector<Measured>& all) {
  for (const Measured& one : all) {
    for (const MatrixSpectrum& matrix : one.matrices) {
      nlohmann::ordered_json line{{"checkpoint", one.checkpoint}};
      line.update(nlohmann::ordered_json::parse(train::spectrum_json(matrix, one.step)));
      std::cout << record::json_text(line) << "\n";
    }
  }
}

Measured measure(const std::string& checkpoint, const SpectraOptions& options) {
  const run::LoadedModel loaded = run::load_model(checkpoint);
  Measured one{
      checkpoint, loaded.state.step,
      train::weight_matrices(*loaded.arena, options.params, options.heads, loaded.config.model)};
  if (one.matrices.empty()) {
    throw base::Error(checkpoint, ": no matrix matches ", base::join(options.params, " "),
                      "; try matrices, vo, ffn, embed");
  }
  train::measure(one.matrices);
  return one;
}

}  // namespace

void add_spectra(CLI::App& app, Exit&) {
  CLI::App* command = app.add_subcommand(
      "spectra", R"(Compute singular values of checkpoints' weights, averaged by role.

  muonlab spectra runs/adam runs/vo_ffn@400
  muonlab spectra runs/vo_ffn --params vo --heads --matrices)");
  auto options = std::make_shared<SpectraOptions>();
  command
      ->add_option("CHECKPOINT", options->checkpoints,
                   "runs, RUN@STEP, or checkpoints' folders, side by side")
      ->required();
  command->add_option("--params", options->params, "matrices to measure, in the words of assign")
      ->type_name("NAMES")
      ->delimiter(',')
      ->capture_default_str();
  command->add_flag("--matrices", options->matrices,
                    "one row for each matrix instead of the mean by role");
  command->add_flag("--heads", options->heads,
                    "each head of q, k, v and o, and the product O V of each head, as well");
  command->add_flag("--json", options->json, "print lines as in spectra.jsonl");
  command->callback([options] {
    for (const std::string& selector : options->params) {
      const std::string problem = config::selector_problem(selector);
      if (!problem.empty()) throw base::UsageError("--params: ", problem);
    }
    std::vector<Measured> all;
    for (const std::string& checkpoint : options->checkpoints)
      all.push_back(measure(checkpoint, *options));
    options->json ? print_json(all) : print_table(all, options->matrices);
  });
}

}  // namespace muonlab::app
