#include <algorithm>
#include <array>
#include <cmath>

#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/base/text_table.hpp"
#include "muonlab/study/report/compare.hpp"
#include "study/ablation/verdict.hpp"
#include "study/report/curve_plot.hpp"

namespace muonlab::study {
namespace {

constexpr size_t kPlotHeight = 12, kPlotWidth = 72, kIndent = kTextIndent;

// A to Z, then 27, 28…
std::string letter(size_t run) {
  return run < 26 ? std::string(1, static_cast<char>('A' + run)) : std::to_string(run + 1);
}

std::string loss_text(double loss) {
  return std::isfinite(loss) ? base::fixed(loss, 4) : "not finite";
}

std::string state_text(const record::RunRecord& run) {
  if (run.finished()) return run.history.end ? run.history.end->warning : "";
  return run.state == record::RunState::stopped ? "unfinished" : record::state_name(run.state);
}

std::string runs_text(const Comparison& comparison, size_t width) {
  base::TextTable table({{""}, {""}, {""}, {"", base::TextColumn::Kind::prose}});
  for (size_t i = 0; i < comparison.runs.size(); ++i) {
    const record::RunRecord& run = comparison.runs[i];
    const int64_t step = std::max(run.train.empty() ? 0 : run.train.back().step,
                                  run.validations.empty() ? 0 : run.validations.back().step);
    table.add_row({letter(i), run.path,
                   base::str("step ", base::with_commas(step), "/", base::with_commas(run.steps)),
                   state_text(run)});
  }
  return table.text(width, kIndent);
}

// What the reader must know before any figure: what is not comparable, and which runs were resumed
// with other settings.
std::string notes_text(const Comparison& comparison, size_t width) {
  std::vector<std::string> notes = comparison.comparability.reasons;
  for (size_t i = 0; i < comparison.runs.size(); ++i) {
    const std::vector<record::RunStart> changed = comparison.runs[i].history.changed();
    if (changed.empty()) continue;
    std::vector<std::string> steps;
    for (const record::RunStart& start : changed) steps.push_back(base::with_commas(start.step));
    notes.push_back(base::str("Settings of ", letter(i),
                              " were changed when it was resumed at step ", base::join(steps, ", "),
                              ": no single command makes this run."));
  }
  std::string text;
  for (const std::string& note : notes) text += wrapped(note, width);
  return text.empty() ? "" : text + "\n";
}

std::string settings_text(const Comparison& comparison, size_t width) {
  if (comparison.settings.empty()) return "  no setting differs\n";
  std::vector<base::TextColumn> columns{{"setting"}};
  for (size_t i = 0; i < comparison.runs.size(); ++i) columns.push_back({letter(i)});
  base::TextTable table(columns);
  for (const SettingDifference& setting : comparison.settings) {
    std::vector<std::string> cells{setting.path};
    for (size_t i = 0; i < comparison.runs.size(); ++i)
      cells.push_back(value_over_time(comparison.runs[i], setting.path, setting.values[i]));
    table.add_row(std::move(cells));
  }
  return table.text(width, kIndent);
}

std::string first_difference_text(const Comparison& comparison) {
  if (!comparison.comparability.training)
    return "  training losses are those of different data; where they differ says nothing\n";
  if (comparison.common_steps == 0) return "  no step was recorded by all\n";
  if (!comparison.first_difference) {
    return base::str("  training losses are the same at all ",
                     base::with_commas(comparison.common_steps), " common steps\n");
  }
  const FirstDifference& first = *comparison.first_difference;
  std::vector<std::string> losses;
  for (size_t i = 0; i < first.losses.size(); ++i)
    losses.push_back(letter(i) + " " + base::significant(first.losses[i], 9));
  return base::str("  training losses first differ at step ", base::with_commas(first.step),
                   ", by ",
                   std::isfinite(first.spread) ? base::significant(first.spread, 2)
                                               : "more than a number can say",
                   " (", base::join(losses, ", "), ")\n");
}

// A column of figures, one a run.
struct Figures {
  std::string header;
  std::string (*text)(const record::RunRecord&, const RunFigures&);
};

std::string loss_of(const record::RunRecord& run, const std::optional<double>& loss) {
  if (run.diverged()) return "diverged";
  return loss ? loss_text(*loss) : "-";
}

std::string bits_text(const std::optional<record::Validation>& validation) {
  return validation ? loss_text(validation->bits_per_byte) : "-";
}

const std::vector<Figures> kLosses{
    {"train loss", [](const auto& run, const auto& of) { return loss_of(run, of.train_loss); }},
    {"val. loss",
     [](const auto& run, const auto& of) {
       return loss_of(run, of.last ? std::optional(of.last->loss) : std::nullopt);
     }},
    {"best", [](const auto&, const auto& of) { return of.best ? loss_text(of.best->loss) : "-"; }},
    {"at step", [](const auto&, const auto& of) {
       return of.best ? base::with_commas(of.best->step) : std::string("-");
     }}};
const std::vector<Figures> kBits{
    {"bits/byte", [](const auto&, const auto& of) { return bits_text(of.last); }},
    {"best", [](const auto&, const auto& of) { return bits_text(of.best); }}};
const std::vector<Figures> kSpeed{{"tokens/s",
                                   [](const auto&, const auto& of) {
                                     return of.tokens_per_s
                                                ? base::with_commas(std::llround(*of.tokens_per_s))
                                                : std::string("-");
                                   }},
                                  {"optimizer", [](const auto&, const auto& of) {
                                     return of.optimizer_share
                                                ? base::fixed(100.0 * *of.optimizer_share, 1) + " %"
                                                : std::string("-");
                                   }}};

// Losses that are not comparable, a line each.
std::string separate_losses(const Comparison& comparison, size_t width) {
  base::TextTable table({{""}, {"", base::TextColumn::Kind::prose}});
  for (size_t i = 0; i < comparison.runs.size(); ++i) {
    std::string text;
    for (const Figures& column : kLosses) {
      text += base::str(text.empty() ? "" : ", ", column.header, " ",
                        column.text(comparison.runs[i], comparison.figures[i]));
    }
    table.add_row({letter(i), text});
  }
  return "\n  losses, not comparable with each other\n" + table.text(width, kIndent);
}

std::string figures_text(const Comparison& comparison, size_t width) {
  using enum base::TextColumn::Kind;
  const Comparability& comparable = comparison.comparability;
  std::vector<Figures> figures;
  if (comparable.losses) figures = kLosses;
  if (!comparable.losses && comparable.bits_per_byte) figures = kBits;
  figures.insert(figures.end(), kSpeed.begin(), kSpeed.end());
  std::vector<base::TextColumn> columns{{"run"}};
  for (const Figures& column : figures) columns.push_back({column.header, number});
  if (comparison.target) {
    columns.push_back({"steps to " + loss_text(*comparison.target), number});
    columns.push_back({"tokens", number});
  }
  base::TextTable table(columns);
  for (size_t i = 0; i < comparison.figures.size(); ++i) {
    std::vector<std::string> cells{letter(i)};
    for (const Figures& column : figures)
      cells.push_back(column.text(comparison.runs[i], comparison.figures[i]));
    if (comparison.target) {
      const std::optional<Reached>& reached = comparison.figures[i].reached;
      cells.push_back(reached ? base::with_commas(std::llround(std::ceil(reached->step)))
                              : "not reached");
      cells.push_back(reached ? base::human_count(reached->tokens) : "-");
    }
    table.add_row(std::move(cells));
  }
  return table.text(width, kIndent) + (comparable.losses ? "" : separate_losses(comparison, width));
}

std::string plot(const Comparison& comparison, size_t width, bool colour) {
  const Comparability& comparable = comparison.comparability;
  if (!comparable.losses && !comparable.bits_per_byte) return "";
  std::vector<Curve> curves;
  for (size_t i = 0; i < comparison.runs.size(); ++i) {
    Curve& curve = curves.emplace_back(Curve{letter(i), {}});
    for (const record::Validation& v : comparison.runs[i].validations) {
      const double value = comparable.losses ? v.loss : v.bits_per_byte;
      if (std::isfinite(value)) curve.points.emplace_back(static_cast<double>(v.step), value);
    }
  }
  const size_t marks = 2 * curves.size() + 12;
  const size_t plot_width = std::min(kPlotWidth, width > marks + 10 ? width - marks : 10);
  const std::string drawn = plot_curves(curves, plot_width, kPlotHeight, "steps", colour);
  const char* title = comparable.losses ? "validation loss" : "bits per byte of validation text";
  return drawn.empty() ? "" : base::str("\n  ", title, "\n", drawn);
}

}  // namespace

std::string comparison_text(const Comparison& comparison, size_t width, bool colour) {
  return notes_text(comparison, width) + runs_text(comparison, width) + "\n" +
         settings_text(comparison, width) + "\n" + first_difference_text(comparison) + "\n" +
         figures_text(comparison, width) + plot(comparison, width, colour);
}

}  // namespace muonlab::study
