#include "muonlab/study/ablation/table.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/base/text_table.hpp"
#include "verdict.hpp"

namespace muonlab::study {
namespace {

constexpr size_t kColumnGap = 4;

// A column's header and its texts for every row of every block, in order.
struct Column {
  std::string header;
  std::vector<std::string> cells{};
};

// Digits after the point at which standard errors show: three, or four where they are small or
// unknown.
int digits_of(std::span<const AblationAnswer> blocks, std::optional<Estimate> RowAnswer::*column) {
  double largest = 0.0;
  for (const AblationAnswer& block : blocks) {
    for (const RowAnswer& row : block.rows) {
      if (row.*column && (row.*column)->standard_error)
        largest = std::max(largest, *(row.*column)->standard_error);
    }
  }
  return largest >= 0.0015 ? 3 : 4;
}

std::string number_text(double value, int digits) {
  const std::string text = base::fixed(value, digits);
  return text.find_first_not_of("-0.") == std::string::npos ? base::fixed(0.0, digits)
                                                            : text;  // no "-0.000"
}

std::string estimate_text(const std::optional<Estimate>& estimate, int digits, size_t width = 0) {
  if (!estimate) return "-";
  std::string text = base::pad_left(number_text(estimate->value, digits), width);
  if (estimate->standard_error) text += " ± " + base::fixed(*estimate->standard_error, digits);
  return text;
}

std::string share_text(const std::optional<double>& share) {
  return share ? percent_text(*share) : "-";
}

std::string interval_text(const std::optional<base::Interval>& interval) {
  if (!interval) return "";
  if (!interval->bounded()) return " unbounded";
  const auto percent = [](double share) { return number_text(100.0 * share, 0); };
  return " [" + percent(interval->low) + ", " + percent(interval->high) + "]";
}

void align_right(std::vector<std::string>& texts) {
  size_t widest = 0;
  for (const std::string& text : texts) widest = std::max(widest, base::display_width(text));
  for (std::string& text : texts) text = base::pad_left(text, widest);
}

template <class Text>
std::vector<std::string> texts_of(std::span<const AblationAnswer> blocks, const Text& text) {
  std::vector<std::string> texts;
  for (const AblationAnswer& block : blocks) {
    for (const RowAnswer& row : block.rows) texts.push_back(text(row));
  }
  return texts;
}

// Shares of a gain that can be told from noise: nothing else has shares.
Column recovered_column(std::span<const AblationAnswer> blocks) {
  Column column{"recovered"};
  std::vector<std::string> intervals;
  for (const AblationAnswer& block : blocks) {
    for (const RowAnswer& row : block.rows) {
      const bool is_share = block.gain_is_certain() && row.recovered;
      column.cells.push_back(is_share        ? percent_text(row.recovered->value)
                             : row.recovered ? "undefined"
                                             : "-");
      intervals.push_back(is_share ? interval_text(row.recovered->interval) : "");
    }
  }
  align_right(column.cells);
  for (size_t i = 0; i < intervals.size(); ++i) column.cells[i] += intervals[i];
  return column;
}

// What the blocks call their baseline; "the baseline" where they differ.
std::string baseline_name(std::span<const AblationAnswer> blocks) {
  const std::string& name = blocks.front().words.baseline;
  const bool same = std::all_of(blocks.begin(), blocks.end(), [&](const AblationAnswer& block) {
    return block.words.baseline == name;
  });
  return same ? name : "the baseline";
}

Column gain_column(std::span<const AblationAnswer> blocks) {
  const bool negative = std::any_of(blocks.begin(), blocks.end(), [](const AblationAnswer& block) {
    return std::any_of(block.rows.begin(), block.rows.end(),
                       [](const RowAnswer& row) { return row.gain && row.gain->value < 0; });
  });
  const int digits = digits_of(blocks, &RowAnswer::gain);
  const auto width = static_cast<size_t>(digits) + (negative ? 3 : 2);  // "-0.003"
  return {"gain over " + baseline_name(blocks), texts_of(blocks, [&](const RowAnswer& row) {
            return estimate_text(row.gain, digits, width);
          })};
}

// "71 % [68, 75]" of the baseline's steps, to its final loss.
std::string reach_text(const std::optional<Reach>& reach) {
  if (!reach) return "-";
  if (reach->num_reached == 0) return "never";
  if (!reach->share) return base::str(reach->num_reached, " of ", reach->num_seeds, " seeds");
  return percent_text(*reach->share) + interval_text(reach->interval);
}

int64_t seeds_of(const RowAnswer& row) { return row.loss ? row.loss->n : 0; }

// Over the rows that have any seed.
struct SeedRange {
  int64_t least = INT64_MAX, most = 0;
};

SeedRange seed_range(std::span<const AblationAnswer> blocks) {
  SeedRange range;
  for (const AblationAnswer& block : blocks) {
    for (const RowAnswer& row : block.rows) {
      if (seeds_of(row) > 0) range.least = std::min(range.least, seeds_of(row));
      range.most = std::max(range.most, seeds_of(row));
    }
  }
  return range;
}

std::string footer(const AblationAnswer& block, size_t width) {
  const SeedRange seeds = seed_range({&block, 1});
  std::string legend = "No seed yet.";
  if (seeds.most == 1) legend = "1 seed.";
  if (seeds.most > 1) {
    const std::string count = seeds.least == seeds.most
                                  ? std::to_string(seeds.most)
                                  : base::str(seeds.least, " to ", seeds.most);
    legend = count + " seeds, paired; ± standard error; intervals 95 %.";
  }
  std::string text = wrapped(legend + " " + block.verdict.front(), width);
  for (size_t i = 1; i < block.verdict.size(); ++i) text += wrapped(block.verdict[i], width);
  for (const std::string& sentence : broken_run_sentences(block)) text += wrapped(sentence, width);
  return text;
}

}  // namespace

std::string ablation_table(std::span<const AblationAnswer> blocks, size_t width) {
  if (blocks.empty()) return "";
  const AblationWords& words = blocks.front().words;
  std::vector<Column> columns{
      {words.rows, texts_of(blocks, [](const RowAnswer& row) { return row.label; })}};
  const SeedRange seeds = seed_range(blocks);
  if (seeds.least != seeds.most) {
    Column& column = columns.emplace_back(Column{
        "seeds",
        texts_of(blocks, [](const RowAnswer& row) { return std::to_string(seeds_of(row)); })});
    align_right(column.cells);
  }
  const int digits = digits_of(blocks, &RowAnswer::loss);
  columns.push_back({"val. loss", texts_of(blocks, [&](const RowAnswer& row) {
                       if (!row.loss && row.num_diverged > 0) return std::string("diverged");
                       return estimate_text(row.loss, digits) + (row.num_doubtful > 0 ? " !" : "");
                     })});
  columns.push_back(gain_column(blocks));
  if (std::any_of(blocks.begin(), blocks.end(),
                  [](const AblationAnswer& block) { return block.gain_is_certain(); })) {
    columns.push_back(recovered_column(blocks));
  }
  const bool of_adam = baseline_name(blocks) == AblationWords().baseline;
  const std::string whose = of_adam ? "Adam" : "the baseline";
  Column reach{"steps to " + whose + "'s loss",
               texts_of(blocks, [](const RowAnswer& row) { return reach_text(row.reach); })};
  if (std::any_of(reach.cells.begin(), reach.cells.end(),
                  [](const std::string& cell) { return cell != "-"; })) {
    columns.push_back(std::move(reach));
  }
  Column paper{"paper", texts_of(blocks, [](const RowAnswer& row) {
                 return share_text(row.published_recovered);
               })};
  if (std::any_of(paper.cells.begin(), paper.cells.end(),
                  [](const std::string& cell) { return cell != "-"; })) {
    align_right(paper.cells);
    columns.push_back(std::move(paper));
  }

  std::vector<base::TextColumn> heads;
  for (const Column& column : columns) heads.push_back({column.header});
  base::TextTable table(heads);
  for (size_t row = 0; row < columns.front().cells.size(); ++row) {
    std::vector<std::string> cells;
    for (const Column& column : columns) cells.push_back(column.cells[row]);
    table.add_row(std::move(cells));
  }
  std::string text;
  size_t first = 0;
  for (const AblationAnswer& block : blocks) {
    if (!text.empty()) text += "\n";
    if (!block.title.empty()) text += std::string(kTextIndent, ' ') + block.title + "\n";
    text += table.part(first, block.rows.size(),
                       {.width = width, .indent = kTextIndent, .gap = kColumnGap});
    first += block.rows.size();
    text += footer(block, width);
  }
  return text;
}

}  // namespace muonlab::study
