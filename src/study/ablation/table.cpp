#include "muonlab/study/ablation/table.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "verdict.hpp"

namespace muonlab::study {
namespace {

constexpr size_t kIndent = kTextIndent, kGap = 2, kWideGap = 4;

// One column over all blocks: its header and a text for each row of each block, in order.
struct Column {
  std::string header;
  std::vector<std::string> cells{};
  size_t width() const {
    size_t widest = base::display_width(header);
    for (const std::string& cell : cells) widest = std::max(widest, base::display_width(cell));
    return widest;
  }
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

Column gain_column(std::span<const AblationAnswer> blocks) {
  const bool negative = std::any_of(blocks.begin(), blocks.end(), [](const AblationAnswer& block) {
    return std::any_of(block.rows.begin(), block.rows.end(),
                       [](const RowAnswer& row) { return row.gain && row.gain->value < 0; });
  });
  const int digits = digits_of(blocks, &RowAnswer::gain);
  const auto width = static_cast<size_t>(digits) + (negative ? 3 : 2);  // "-0.003"
  return {"gain over " + blocks.front().words.baseline, texts_of(blocks, [&](const RowAnswer& row) {
            return estimate_text(row.gain, digits, width);
          })};
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

size_t total_width(const std::vector<Column>& columns, size_t gap) {
  size_t width = kIndent;
  for (const Column& column : columns) width += column.width() + gap;
  return width - gap;
}

// What does not fit goes, from the least missed on.
void fit(std::vector<Column>& columns, size_t width, const std::string& gain_header) {
  for (const std::string& header : {std::string("paper"), gain_header, std::string("seeds")}) {
    if (total_width(columns, kGap) <= width) return;
    std::erase_if(columns, [&](const Column& column) { return column.header == header; });
  }
}

std::string line_of(const std::vector<Column>& columns, size_t gap, const auto& text_of) {
  std::string line(kIndent, ' ');
  for (const Column& column : columns)
    line += base::pad_right(text_of(column), column.width() + gap);
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
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
  const std::string gain_header = columns.back().header;
  if (std::any_of(blocks.begin(), blocks.end(),
                  [](const AblationAnswer& block) { return block.gain_is_certain(); })) {
    columns.push_back(recovered_column(blocks));
  }
  Column paper{"paper", texts_of(blocks, [](const RowAnswer& row) {
                 return share_text(row.published_recovered);
               })};
  if (std::any_of(paper.cells.begin(), paper.cells.end(),
                  [](const std::string& cell) { return cell != "-"; })) {
    align_right(paper.cells);
    columns.push_back(std::move(paper));
  }
  fit(columns, width, gain_header);
  const size_t gap = total_width(columns, kWideGap) <= width ? kWideGap : kGap;

  std::string text;
  size_t next = 0;
  for (const AblationAnswer& block : blocks) {
    if (!text.empty()) text += "\n";
    if (!block.title.empty()) text += std::string(kIndent, ' ') + block.title + "\n";
    std::vector<std::string> lines{
        line_of(columns, gap, [](const Column& column) { return column.header; })};
    for (size_t i = 0; i < block.rows.size(); ++i, ++next) {
      lines.push_back(
          line_of(columns, gap, [&](const Column& column) { return column.cells[next]; }));
    }
    for (const std::string& line : lines) text += base::clip_text(line, width) + "\n";
    text += footer(block, width);
  }
  return text;
}

}  // namespace muonlab::study
