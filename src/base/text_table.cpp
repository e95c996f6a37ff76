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

constexpr size_t kGap = 2;          // between columns
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

std::string TextTable::aligned(const std::vector<size_t>& widths, size_t indent) const {
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
      std::string line(indent, ' ');
      for (size_t i = 0; i < cells.size(); ++i) {
        const std::string cell = row < wrapped[i].size() ? wrapped[i][row] : "";
        if (i > 0) line += std::string(kGap, ' ');
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
  for (const auto& row : rows_) add_line(row);
  return text;
}

std::string TextTable::list(size_t width, size_t indent) const {
  const size_t inner = indent + kGap;
  const size_t room = width > inner ? width - inner : 1;
  std::string text;
  for (const auto& row : rows_) {
    text += trimmed_right(std::string(indent, ' ') + row[0]);
    std::string line;
    const auto end_line = [&] {
      if (!line.empty()) text += std::string(inner, ' ') + line + "\n";
      line.clear();
    };
    for (size_t i = 1; i < row.size(); ++i) {
      if (row[i].empty()) continue;
      const std::string& header = columns_[i].header;
      const std::string figure =
          header.empty() || columns_[i].kind == Kind::prose ? row[i] : header + " " + row[i];
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
  std::vector<size_t> widths = natural_widths();
  const size_t gaps = indent + kGap * (columns_.size() - 1);
  const size_t total = std::accumulate(widths.begin(), widths.end(), gaps);
  if (total <= width) return aligned(widths, indent);
  // What is too long is taken from the widest column of running text.
  size_t widest = columns_.size();
  for (size_t i = 0; i < columns_.size(); ++i) {
    if (columns_[i].kind != Kind::prose) continue;
    if (widest == columns_.size() || widths[i] > widths[widest]) widest = i;
  }
  if (widest < columns_.size() && total - width + kLeastProse <= widths[widest]) {
    widths[widest] -= total - width;
    return aligned(widths, indent);
  }
  return list(width, indent);
}

size_t table_width(int descriptor) {
  return is_terminal(descriptor) ? static_cast<size_t>(terminal_width(descriptor)) : kUnlimited;
}

}  // namespace muonlab::base
