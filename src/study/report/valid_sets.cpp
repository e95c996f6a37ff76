#include "study/report/valid_sets.hpp"

#include <cmath>
#include <map>
#include <set>

#include "muonlab/base/error.hpp"
#include "muonlab/base/statistics.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/page/html.hpp"
#include "sections.hpp"
#include "study/ablation/verdict.hpp"

namespace muonlab::study {
namespace {

using base::str;

// A row still training has other steps.
const record::Validation* last_on(const ReportRun& run, const std::string& set) {
  const std::vector<record::Validation>& all = run.record.validations;
  if (!run.record.finished() || all.empty()) return nullptr;
  const auto found = all.back().sets.find(set);
  return found == all.back().sets.end() ? nullptr : &found->second;
}

// Of a block's row, by seed.
std::map<int64_t, record::Validation> last_of_row(const ReportData& data, size_t block,
                                                  const std::string& label,
                                                  const std::string& set) {
  std::map<int64_t, record::Validation> by_seed;
  for (const ReportRun& run : data.runs) {
    if (run.block != block || data.rows[run.row].label != label) continue;
    if (const record::Validation* last = last_on(run, set))
      by_seed.insert_or_assign(run.record.config.seed, *last);
  }
  return by_seed;
}

std::string with_error(const Estimate& loss) {
  return base::fixed(loss.value, 4) +
         (loss.standard_error ? " ± " + base::fixed(*loss.standard_error, 4) : "");
}

// "4.061 ± 0.004", and below it the gain over the baseline and the bits a byte.
std::string set_cell(const ReportData& data, size_t block, const std::string& label,
                     const std::string& set) {
  std::vector<double> losses, bits;
  for (const auto& [seed, last] : last_of_row(data, block, label, set)) {
    losses.push_back(last.loss);
    bits.push_back(last.bits_per_byte);
  }
  if (losses.empty()) return "–";
  std::string loss = base::fixed(base::mean(losses), 4), gain;
  for (const SetAnswer& one : data.blocks[block].sets) {
    for (const RowAnswer& row : one.answer.rows) {
      if (one.set != set || row.label != label) continue;
      if (row.loss) loss = with_error(*row.loss);
      if (row.gain && row.p_holm) {
        gain = str("gain ", row.gain->value < 0 ? "−" : "+",
                   base::fixed(std::abs(row.gain->value), 4), ", p ", p_value(*row.p_holm), "; ");
      }
    }
  }
  return str(loss, "<br><small>", gain, base::bits_per_byte_text(base::mean(bits)),
             " bits a byte</small>");
}

std::string block_table(const ReportData& data, size_t block) {
  const std::vector<std::string> sets = valid_set_names(data, block);
  if (sets.empty()) return "";
  std::vector<page::TableCell> head{{"row"}};
  for (const std::string& set : sets) head.push_back({page::escape(set), true});
  std::vector<std::vector<page::TableCell>> rows;
  for (size_t row = 0; row < data.rows.size(); ++row) {
    if (members(data, block, row).empty()) continue;
    std::vector<page::TableCell>& cells = rows.emplace_back();
    cells.push_back({row_name(data.rows[row])});
    for (const std::string& set : sets)
      cells.push_back({set_cell(data, block, data.rows[row].label, set), true});
  }
  return page::table("final losses on the named validation sets by row", head, rows);
}

}  // namespace

std::vector<std::string> valid_set_names(const ReportData& data, size_t block) {
  std::map<std::string, std::set<std::vector<std::string>>> files;
  std::set<size_t> groups;
  for (const ReportRun& run : data.runs) {
    const auto* shards = std::get_if<config::ShardsConfig>(&run.record.config.data);
    if (run.block != block || shards == nullptr) continue;
    groups.insert(run.group);
    for (const auto& [name, paths] : shards->valid_sets) {
      if (last_on(run, name)) files[name].insert(paths);
    }
  }
  std::vector<std::string> names;
  for (const auto& [name, lists] : files) {
    if (lists.size() == 1 && groups.size() == 1) names.push_back(name);
  }
  return names;
}

std::vector<SetAnswer> set_answers(const ReportData& data, size_t block) {
  std::vector<SetAnswer> answers;
  const std::optional<AblationAnswer>& of_loss = data.blocks[block].answer;
  if (!of_loss) return answers;
  for (const std::string& set : valid_set_names(data, block)) {
    Ablation ablation{.title = of_loss->title,
                      .rows = {},
                      .baseline = of_loss->baseline,
                      .reference = of_loss->reference,
                      .words = of_loss->words};
    for (const RowAnswer& row : of_loss->rows) {
      AblationRow& own = ablation.rows.emplace_back();
      own.name = row.name;
      own.label = row.label;
      for (const auto& [seed, last] : last_of_row(data, block, row.label, set))
        own.losses[seed] = last.loss;
    }
    answers.push_back({set, answer_ablation(ablation, RowOrder::as_given)});
  }
  return answers;
}

std::string valid_sets_text(const ReportData& data, size_t width) {
  std::string text;
  for (const ReportBlock& block : data.blocks) {
    for (const SetAnswer& set : block.sets) {
      std::vector<std::string> rows;
      for (const RowAnswer& row : set.answer.rows) {
        if (!row.loss) continue;
        rows.push_back(str(row.label, " ", with_error(*row.loss),
                           row.p_holm ? " (" + p_text(*row.p_holm) + ")" : ""));
      }
      if (rows.empty()) continue;
      text += wrapped(
          str("Validation loss on the set ", set.set,
              block.title.empty() ? "" : " (" + block.title + ")", ": ", base::join(rows, ", ")),
          width);
    }
  }
  return text;
}

std::string valid_sets_html(const ReportData& data) {
  if (data.runs.size() == 1) return "";
  std::vector<std::string> tables;
  for (size_t block = 0; block < data.blocks.size(); ++block)
    tables.push_back(block_table(data, block));
  const std::string html = by_block(data, tables, true);
  if (html.empty()) return "";
  return "<p class=\"note\">Loss of finished runs at their last step on each of "
         "<code>data.valid_sets</code>, in nats a token, mean over seeds ± standard error. Small: "
         "gain over the baseline on the same seeds, p of the paired t-test after Holm's "
         "correction over the rows of a set, and bits a byte of text.</p>\n" +
         html + from_line(data, "metrics.jsonl", "validation_sets, runs[].validations[].sets");
}

}  // namespace muonlab::study
