#include "muonlab/base/text_table.hpp"

#include <algorithm>
#include <numeric>

#include "muonlab/base/error.hpp"
#include "muonlab/base/terminal.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/base/visible.hpp"

namespace muonlab::base {
namespace {

using Kind = TextColumn::Kind;

constexpr size_t kGap = 2;          // between columns, at least
constexpr size_t kFigureGap = 3;    // between the figures of a list
constexpr size_t kLeastProse = 20;  // a narrower column of running text is hard to read
constexpr size_t kUnlimited = size_t{1} << 40;

// A cell is one line, whatever its text holds.
std::string one_line(std::string_view text) {
  std::string line;
  for (const char c : visible(text)) {
    if (c == '\n' || c == '\t') {
      line += c == '\n' ? "\\n" : "\\t";
    } else {
      line += c;
    }
  }
  return line;
}

std::string trimmed_right(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

}  // namespace

TextTable::TextTable(std::vector<TextColumn> columns) : columns_(std::move(columns)) {
  check(!columns_.empty(), "a table of no column");
}

void TextTable::add_row(std::vector<std::string> cells) {
  check(cells.size() == columns_.size(), "a cell a column");
  for (std::string& cell : cells) cell = one_line(cell);
  rows_.push_back(std::move(cells));
}

std::vector<size_t> TextTable::natural_widths() const {
  std::vector<size_t> widths;
  for (size_t i = 0; i < columns_.size(); ++i) {
    widths.push_back(display_width(columns_[i].header));
    for (const auto& row : rows_) widths[i] = std::max(widths[i], display_width(row[i]));
  }
  return widths;
}

std::string TextTable::aligned(std::span<const Row> rows, const std::vector<size_t>& widths,
                               const TextLayout& layout) const {
  std::string text;
  const auto add_line = [&](const std::vector<std::string>& cells) {
    std::vector<std::vector<std::string>> wrapped;
    size_t height = 1;
    for (size_t i = 0; i < cells.size(); ++i) {
      wrapped.push_back(columns_[i].kind == Kind::prose ? wrap_text(cells[i], widths[i])
                                                        : std::vector<std::string>{cells[i]});
      height = std::max(height, wrapped.back().size());
    }
    for (size_t row = 0; row < height; ++row) {
      std::string line(layout.indent, ' ');
      for (size_t i = 0; i < cells.size(); ++i) {
        const std::string cell = row < wrapped[i].size() ? wrapped[i][row] : "";
        if (i > 0) line += std::string(layout.gap, ' ');
        line += columns_[i].kind == Kind::number ? pad_left(cell, widths[i])
                                                 : pad_right(cell, widths[i]);
      }
      text += trimmed_right(std::move(line));
    }
  };
  std::vector<std::string> headers;
  for (const TextColumn& column : columns_) headers.push_back(column.header);
  const bool any_header = std::any_of(headers.begin(), headers.end(),
                                      [](const std::string& header) { return !header.empty(); });
  if (any_header) add_line(headers);
  for (const Row& row : rows) add_line(row);
  return text;
}

std::string TextTable::list(std::span<const Row> rows, const TextLayout& layout) const {
  const size_t inner = layout.indent + kGap;
  const size_t room = layout.width > inner ? layout.width - inner : 1;
  std::string text;
  for (const Row& row : rows) {
    text += trimmed_right(std::string(layout.indent, ' ') + row[0]);
    std::string line;
    const auto end_line = [&] {
      if (!line.empty()) text += std::string(inner, ' ') + line + "\n";
      line.clear();
    };
    for (size_t i = 1; i < row.size(); ++i) {
      const std::string cell =
          row[i].substr(std::min(row[i].find_first_not_of(' '), row[i].size()));
      if (cell.empty()) continue;
      const std::string& header = columns_[i].header;
      const std::string figure =
          header.empty() || columns_[i].kind == Kind::prose ? cell : header + " " + cell;
      const size_t taken = line.empty() ? 0 : display_width(line) + kFigureGap;
      if (taken + display_width(figure) > room) end_line();
      if (!line.empty()) line += std::string(kFigureGap, ' ');
      std::vector<std::string> lines{figure};
      if (display_width(figure) > room) lines = wrap_text(figure, room);
      for (size_t part = 0; part < lines.size(); ++part) {
        line += lines[part];
        if (part + 1 < lines.size()) end_line();
      }
    }
    end_line();
  }
  return text;
}

std::string TextTable::text(size_t width, size_t indent) const {
  return part(0, rows_.size(), {width, indent});
}

std::string TextTable::part(size_t first, size_t count, TextLayout layout) const {
  check(first + count <= rows_.size(), "rows of the table");
  const std::span<const Row> rows = std::span(rows_).subspan(first, count);
  std::vector<size_t> widths = natural_widths();
  const auto total_with = [&](size_t gap) {
    return std::accumulate(widths.begin(), widths.end(),
                           layout.indent + gap * (columns_.size() - 1));
  };
  if (total_with(layout.gap) > layout.width) layout.gap = kGap;
  const size_t total = total_with(layout.gap), width = layout.width;
  if (total <= width) return aligned(rows, widths, layout);
  // What is too long is taken from the widest column of running text.
  size_t widest = columns_.size();
  for (size_t i = 0; i < columns_.size(); ++i) {
    if (columns_[i].kind != Kind::prose) continue;
    if (widest == columns_.size() || widths[i] > widths[widest]) widest = i;
  }
  if (widest < columns_.size() && total - width + kLeastProse <= widths[widest]) {
    widths[widest] -= total - width;
    return aligned(rows, widths, layout);
  }
  return list(rows, layout);
}

size_t table_width(int descriptor) {
  return is_terminal(descriptor) ? static_cast<size_t>(terminal_width(descriptor)) : kUnlimited;
}

}  // namespace muonlab::base
