// The answer of an ablation: in words, as bars beside the paper's values, and as a table.
#include <algorithm>
#include <cmath>
#include <set>

#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/page/bars.hpp"
#include "muonlab/page/html.hpp"
#include "sections.hpp"
#include "study/ablation/verdict.hpp"

namespace muonlab::study {
namespace {

using base::fixed;
using base::str;
using page::escape;
using page::TableCell;

constexpr const char* kMinus = "−";

// With a sign of its own for negative numbers, so that columns align.
std::string signed_text(double value, int digits) {
  const std::string text = fixed(std::abs(value), digits);
  const bool zero = text.find_first_not_of("0.") == std::string::npos;
  return value < 0 && !zero ? kMinus + text : text;
}

// A sentence's negative numbers with the minus sign of the page's tables.
std::string with_minus_signs(const std::string& sentence) {
  std::string text;
  for (size_t i = 0; i < sentence.size(); ++i) {
    const bool starts = i == 0 || sentence[i - 1] == ' ' || sentence[i - 1] == '[';
    const bool number = i + 1 < sentence.size() && sentence[i + 1] >= '0' && sentence[i + 1] <= '9';
    if (sentence[i] == '-' && starts && number) {
      text += kMinus;
    } else {
      text += sentence[i];
    }
  }
  return text;
}

std::string interval_text(const base::Interval& interval, double factor, int digits) {
  if (!interval.bounded()) return "unbounded";
  return str("[", signed_text(factor * interval.low, digits), ", ",
             signed_text(factor * interval.high, digits), "]");
}

std::string error_text(const Estimate& estimate) {
  return estimate.standard_error ? "± " + fixed(*estimate.standard_error, 4) : "";
}

// HTML, as what follows a figure in a table: nothing for no text.
std::string small(const std::string& text) {
  return text.empty() ? "" : " <small>" + text + "</small>";
}

std::string percent(double share) { return signed_text(100 * share, 0) + " %"; }

std::string share_text(const Estimate& share) {
  return percent(share.value) + small(share.interval ? interval_text(*share.interval, 100, 0) : "");
}

// A row's share of the gain; no number where there is no certain gain.
std::string share_cell(const AblationAnswer& answer, const RowAnswer& row) {
  if (!row.recovered) return "–";
  return answer.gain_is_certain() ? share_text(*row.recovered) : "undefined";
}

std::string gain_text(const Estimate& gain) {
  return signed_text(gain.value, 4) +
         small(gain.interval
                   ? interval_text(*gain.interval, 1, std::abs(gain.value) < 0.001 ? 4 : 3)
                   : "");
}

std::string ends_sentence(const AblationAnswer& answer) {
  const RowAnswer &baseline = answer.row(answer.baseline), &reference = answer.reference_row();
  if (!baseline.loss || !reference.loss || !reference.gain) return "";
  const Estimate& gain = *reference.gain;
  const auto loss_text = [](const Estimate& loss) {
    return fixed(loss.value, 4) + (loss.standard_error ? " " + error_text(loss) : "");
  };
  return str(capitalized(reference.label), " ends at ", loss_text(*reference.loss), ", ",
             baseline.label, " at ", loss_text(*baseline.loss), ": a gain of ",
             signed_text(gain.value, 4),
             gain.interval ? " " + interval_text(*gain.interval, 1, 4) : "", " nats a token, ",
             gain.n, gain.n == 1 ? " seed." : " seeds.");
}

// What would tell a gain from noise.
std::string next_step(const ReportData& data, const AblationAnswer& answer) {
  if (data.sweeps.size() != 1 || !answer.gain_is_open()) return "";
  const SweepResult& sweep = data.sweeps.front();
  return str(
      "<p>More seeds can settle it: add to <code>seeds</code> in the sweep file and run it "
      "again; finished runs are kept.",
      sweep.searches.empty()
          ? " Learning rates that are searched (<code>tune</code>) make the comparison fair."
          : "",
      "</p>\n<pre>", escape(sweep.command), "</pre>\n");
}

// The sentence that is certain stands out: about the gain where it is noise, else about its shares.
std::string block_verdict(const ReportData& data, const ReportBlock& block) {
  const AblationAnswer& answer = *block.answer;
  const size_t strong = answer.gain_is_certain() && answer.verdict.size() > 1 ? 1 : 0;
  std::string html = block.title.empty() ? "<div>" : "<div><h3>" + escape(block.title) + "</h3>";
  html += "<p class=\"verdict\">";
  for (size_t i = 0; i < answer.verdict.size(); ++i) {
    const std::string text = escape(with_minus_signs(answer.verdict[i]));
    html += (i ? " " : "") + (i == strong ? "<strong>" + text + "</strong>" : text);
  }
  html += "</p>";
  for (const std::string& sentence : broken_run_sentences(answer))
    html += "<p class=\"notice\">" + escape(sentence) + "</p>";
  const std::string ends = ends_sentence(answer);
  return html + (ends.empty() ? "" : "<p>" + escape(ends) + "</p>") + next_step(data, answer) +
         "</div>\n";
}

std::vector<const ReportBlock*> answered(const ReportData& data) {
  std::vector<const ReportBlock*> blocks;
  for (const ReportBlock& block : data.blocks) {
    if (block.answer) blocks.push_back(&block);
  }
  return blocks;
}

const ReportRow* row_of(const ReportData& data, const std::string& label) {
  for (const ReportRow& row : data.rows) {
    if (row.label == label) return &row;
  }
  return nullptr;
}

std::string named(const ReportData& data, const std::string& label) {
  const ReportRow* row = row_of(data, label);
  return row ? row_name(*row) : escape(label);
}

// The rows of all blocks, in the order of the first that has them.
std::vector<RowAnswer> one_of_each_label(const std::vector<const ReportBlock*>& blocks) {
  std::vector<RowAnswer> rows;
  std::set<std::string> labels;
  for (const ReportBlock* block : blocks) {
    for (const RowAnswer& row : block->answer->rows) {
      if (labels.insert(row.label).second) rows.push_back(row);
    }
  }
  return rows;
}

// Shares of the gain, blocks side by side.
std::string shares_table(const ReportData& data, const std::vector<const ReportBlock*>& blocks) {
  std::vector<TableCell> head{{"share of the gain"}};
  for (const ReportBlock* block : blocks)
    head.push_back({escape(block->title.empty() ? "here" : block->title), true});
  bool paper = false;
  std::vector<std::vector<TableCell>> rows;
  for (const RowAnswer& first : one_of_each_label(blocks)) {
    std::vector<TableCell> cells{{named(data, first.label)}};
    for (const ReportBlock* block : blocks) {
      const auto& list = block->answer->rows;
      const auto same = std::find_if(list.begin(), list.end(),
                                     [&](const auto& row) { return row.label == first.label; });
      cells.push_back({same != list.end() ? share_cell(*block->answer, *same) : "–", true});
    }
    paper = paper || first.published_recovered;
    cells.push_back({first.published_recovered ? percent(*first.published_recovered) : "–", true});
    rows.push_back(std::move(cells));
  }
  if (paper) {
    head.push_back({"paper", true});
  } else {
    for (auto& cells : rows) cells.pop_back();
  }
  return page::table("share of the gain by row and block", head, rows);
}

page::Bar bar_of(const ReportData& data, const RowAnswer& answer, bool shares) {
  const ReportRow* row = row_of(data, answer.label);
  page::Bar bar{
      .label = answer.label, .colour = row ? *row->colour : 7, .marker = row ? row->marker : 0};
  const std::optional<Estimate>& estimate = shares ? answer.recovered : answer.gain;
  const double factor = shares ? 100 : 1;
  if (shares && answer.published_recovered) bar.mark = 100 * *answer.published_recovered;
  if (!estimate) {
    bar.text = answer.loss               ? "–"
               : answer.num_diverged > 0 ? "<small>diverged</small>"
                                         : "<small>no run yet</small>";
    return bar;
  }
  bar.value = factor * estimate->value;
  if (estimate->interval) {
    bar.interval = {factor * estimate->interval->low, factor * estimate->interval->high};
  }
  bar.text = shares ? share_text(*estimate) : gain_text(*estimate);
  return bar;
}

std::string bars_html(const ReportData& data, const AblationAnswer& answer) {
  const bool shares = answer.gain_is_certain();
  const std::string what =
      shares ? str("share of the gain of ", answer.reference_row().label, " over ",
                   answer.row(answer.baseline).label)
             : str("gain over ", answer.row(answer.baseline).label, ", nats a token");
  page::BarChart chart{.name = what,
                       .bars = {},
                       .unit = shares ? " %" : "",
                       .mark_name = "the paper",
                       .interval_name = "95 % interval"};
  for (const RowAnswer& row : answer.rows) chart.bars.push_back(bar_of(data, row, shares));
  return "<p class=\"note\">" + escape(what) + "</p>\n" + page::bar_chart(chart);
}

// "−0.0105 ± 0.0044"
std::string with_error(const Estimate& estimate) {
  return signed_text(estimate.value, 4) + small(error_text(estimate));
}

// The paper's loss and share.
std::string published_text(const RowAnswer& row) {
  if (!row.published) return "–";
  return fixed(*row.published, 4) +
         small(row.published_recovered ? percent(*row.published_recovered) : "");
}

// Steps to the baseline's final loss, as a share of the baseline's.
std::string reach_cell(const RowAnswer& row) {
  if (!row.reach) return "–";
  const Reach& reach = *row.reach;
  if (reach.num_reached == 0) return "never";
  if (!reach.share) return str(reach.num_reached, " of ", reach.num_seeds, " seeds");
  return percent(*reach.share) +
         small(reach.interval ? interval_text(*reach.interval, 100, 0) : "");
}

std::string answer_table(const ReportData& data, const AblationAnswer& answer) {
  std::vector<TableCell> head{{escape(answer.words.rows)},
                              {"validation loss", true},
                              {"s.d.", true},
                              {"seeds", true},
                              {"gain <small>[95 %]</small>", true},
                              {"p (Holm)", true},
                              {"loss − " + escape(answer.reference_row().label), true},
                              {"share <small>[95 %]</small>", true},
                              {"steps to the loss of " + escape(answer.row(answer.baseline).label) +
                                   " <small>[95 %]</small>",
                               true}};
  const bool has_paper = std::any_of(answer.rows.begin(), answer.rows.end(),
                                     [](const RowAnswer& row) { return row.published; });
  if (has_paper) head.push_back({"the paper", true});
  std::vector<std::vector<TableCell>> rows;
  for (const RowAnswer& row : answer.rows) {
    rows.push_back({{named(data, row.label)},
                    {row.loss               ? with_error(*row.loss)
                     : row.num_diverged > 0 ? "diverged"
                                            : "–",
                     true},
                    {row.deviation ? fixed(*row.deviation, 4) : "–", true},
                    {row.loss ? str(row.loss->n) : "0", true},
                    {row.gain ? gain_text(*row.gain) : "–", true},
                    {row.p_holm ? p_value(*row.p_holm) : "–", true},
                    {row.behind ? with_error(*row.behind) : "–", true},
                    {share_cell(answer, row), true},
                    {reach_cell(row), true}});
    if (has_paper) rows.back().push_back({published_text(row), true});
  }
  return page::table("losses, gains and shares of the rows", head, rows);
}

}  // namespace

std::string verdict_html(const ReportData& data) {
  const std::vector<const ReportBlock*> blocks = answered(data);
  if (blocks.empty()) return "";
  std::string html = "<div class=\"blocks\">\n";
  for (const ReportBlock* block : blocks) html += block_verdict(data, *block);
  html += "</div>\n" + shares_table(data, blocks);
  html +=
      "<p class=\"note\">± is a standard error; intervals are 95 %, by Student's t for losses and "
      "gains, for shares by "
      "Fieller's method below 8 seeds and by bootstrap from 8 on. Rows are compared seed by seed: "
      "same data order, same "
      "initial weights. The first sentence's p is its own, every other after Holm's correction "
      "over the rows.</p>\n";
  for (const ReportBlock* block : blocks) {
    const AblationAnswer& answer = *block->answer;
    const bool says_undefined =
        !answer.gain_is_certain() &&
        std::any_of(answer.rows.begin(), answer.rows.end(),
                    [](const RowAnswer& row) { return row.recovered.has_value(); });
    if (!says_undefined) continue;
    html += "<p class=\"note\">undefined: " + escape(possessive(answer.words.treatment)) +
            " gain is not significant, so there is nothing to give shares of.</p>\n";
    break;
  }
  if (!data.complete)
    html += "<p class=\"note\">The sweep is not finished; these figures will change.</p>\n";
  return html + from_line(data, "metrics.jsonl", "ablation[].rows");
}

std::string ablation_html(const ReportData& data) {
  const std::vector<const ReportBlock*> blocks = answered(data);
  if (blocks.empty()) return "";
  std::string bars, tables;
  for (const ReportBlock* block : blocks) {
    const std::string heading =
        block->title.empty() ? "" : "<h3>" + escape(block->title) + "</h3>\n";
    bars += "<div>" + heading + bars_html(data, *block->answer) + "</div>\n";
    tables += heading + answer_table(data, *block->answer);
  }
  return "<div class=\"blocks\">\n" + bars + "</div>\n" + tables +
         from_line(data, "metrics.jsonl", "ablation[].rows");
}

}  // namespace muonlab::study
