#include <algorithm>
#include <array>
#include <cmath>

#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/study/report/compare.hpp"
#include "study/report/curve_plot.hpp"

namespace muonlab::study {
namespace {

constexpr size_t kPlotHeight = 12, kPlotWidth = 72;

// A to Z, then 27, 28…
std::string letter(size_t run) {
  return run < 26 ? std::string(1, static_cast<char>('A' + run)) : std::to_string(run + 1);
}

// Rows of texts in columns; the first column is text, the others are right-aligned figures if
// `figures` says so.
std::string columns(std::vector<std::vector<std::string>> rows, bool figures, size_t width) {
  std::vector<size_t> widths(rows.front().size());
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], base::display_width(row[i]));
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line = " ";
    for (size_t i = 0; i < row.size(); ++i) {
      line += " ";
      line +=
          figures && i > 0 ? base::pad_left(row[i], widths[i]) : base::pad_right(row[i], widths[i]);
      line += " ";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += base::clip_text(line, width) + "\n";
  }
  return text;
}

std::string loss_text(double loss) {
  return std::isfinite(loss) ? base::fixed(loss, 4) : "not finite";
}

std::string runs_text(const Comparison& comparison, size_t width) {
  std::vector<std::vector<std::string>> rows;
  for (size_t i = 0; i < comparison.runs.size(); ++i) {
    const record::RunRecord& run = comparison.runs[i];
    const int64_t step = std::max(run.train.empty() ? 0 : run.train.back().step,
                                  run.validations.empty() ? 0 : run.validations.back().step);
    rows.push_back({letter(i), run.path,
                    base::str("step ", base::with_commas(step), "/", base::with_commas(run.steps)),
                    run.finished ? "" : "unfinished"});
  }
  return columns(rows, false, width);
}

std::string settings_text(const Comparison& comparison, size_t width) {
  if (comparison.settings.empty()) return "  no setting differs\n";
  std::vector<std::vector<std::string>> rows(1, {"setting"});
  size_t path_width = 0;
  for (const SettingDifference& setting : comparison.settings)
    path_width = std::max(path_width, setting.path.size());
  const size_t taken = 3 + path_width, runs = comparison.runs.size();
  const size_t room = std::max<size_t>(6, width > taken ? (width - taken) / runs - 2 : 0);
  for (size_t i = 0; i < runs; ++i) rows[0].push_back(letter(i));
  for (const SettingDifference& setting : comparison.settings) {
    std::vector<std::string>& row = rows.emplace_back(1, setting.path);
    for (const std::string& value : setting.values)
      row.push_back(base::clip_text(value.empty() ? "-" : value, room));
  }
  return columns(rows, false, width);
}

std::string parting_text(const Comparison& comparison) {
  if (comparison.common_steps == 0) return "  no step was recorded by all\n";
  if (!comparison.parting) {
    return base::str("  training losses are the same at all ",
                     base::with_commas(comparison.common_steps), " common steps\n");
  }
  const Parting& parting = *comparison.parting;
  std::vector<std::string> losses;
  for (size_t i = 0; i < parting.losses.size(); ++i)
    losses.push_back(letter(i) + " " + base::significant(parting.losses[i], 9));
  return base::str("  training losses first differ at step ", base::with_commas(parting.step),
                   ", by ",
                   std::isfinite(parting.spread) ? base::significant(parting.spread, 2)
                                                 : "more than a number can say",
                   " (", base::join(losses, ", "), ")\n");
}

std::string figures_text(const Comparison& comparison, size_t width) {
  std::vector<std::vector<std::string>> rows{
      {"run", "train loss", "val. loss", "best", "at step", "tokens/s", "optimizer"}};
  if (comparison.target) {
    rows[0].push_back("steps to " + loss_text(*comparison.target));
    rows[0].push_back("tokens");
  }
  for (size_t i = 0; i < comparison.figures.size(); ++i) {
    const RunFigures& figures = comparison.figures[i];
    const std::optional<record::Validation>&last = figures.last, &best = figures.best;
    rows.push_back(
        {letter(i), figures.train_loss ? loss_text(*figures.train_loss) : "-",
         last ? loss_text(last->loss) : "-", best ? loss_text(best->loss) : "-",
         best ? base::with_commas(best->step) : "-",
         figures.tokens_per_s ? base::with_commas(std::llround(*figures.tokens_per_s)) : "-",
         figures.optimizer_share ? base::fixed(100.0 * *figures.optimizer_share, 1) + " %" : "-"});
    if (!comparison.target) continue;
    const std::optional<Reached>& reached = figures.reached;
    rows.back().push_back(reached ? base::with_commas(std::llround(std::ceil(reached->step)))
                                  : "not reached");
    rows.back().push_back(reached ? base::human_count(reached->tokens) : "-");
  }
  return columns(rows, true, width);
}

std::string plot(const Comparison& comparison, size_t width, bool colour) {
  std::vector<Curve> curves;
  for (size_t i = 0; i < comparison.runs.size(); ++i) {
    Curve& curve = curves.emplace_back(Curve{letter(i), {}});
    for (const record::Validation& v : comparison.runs[i].validations) {
      if (std::isfinite(v.loss)) curve.points.emplace_back(static_cast<double>(v.step), v.loss);
    }
  }
  const size_t marks = 2 * curves.size() + 12;
  const size_t plot_width = std::min(kPlotWidth, width > marks + 10 ? width - marks : 10);
  const std::string drawn = plot_curves(curves, plot_width, kPlotHeight, "steps", colour);
  return drawn.empty() ? "" : "\n  validation loss\n" + drawn;
}

}  // namespace

std::string comparison_text(const Comparison& comparison, size_t width, bool colour) {
  return runs_text(comparison, width) + "\n" + settings_text(comparison, width) + "\n" +
         parting_text(comparison) + "\n" + figures_text(comparison, width) +
         plot(comparison, width, colour);
}

}  // namespace muonlab::study
