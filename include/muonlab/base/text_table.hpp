// A table for a terminal: aligned columns where they fit, else a list with a row's label above its
// figures. No word is ever broken in the middle.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace muonlab::base {

struct TextColumn {
  enum class Kind {
    text,    // aligned to the left
    number,  // aligned to the right
    prose    // aligned to the left and wrapped at spaces where the line is too long
  };
  std::string header;
  Kind kind = Kind::text;
};

struct TextLayout {
  size_t width;
  size_t indent = 0;
  size_t gap = 2;  // between columns; two where a wider one does not fit
};

class TextTable {
 public:
  // A table without headers has no line of them; its list shows the figures alone.
  explicit TextTable(std::vector<TextColumn> columns);
  // A cell a column. Control characters, which a path may hold, are shown as escapes.
  void add_row(std::vector<std::string> cells);
  // Every line begins with `indent` spaces; no line is longer than `width` columns unless a single
  // word is.
  std::string text(size_t width, size_t indent = 0) const;
  // The headers and `count` rows from `first` on, as part of the whole table: parts that stand
  // under headings of their own have columns of the same width.
  std::string part(size_t first, size_t count, TextLayout layout) const;

 private:
  using Row = std::vector<std::string>;
  std::vector<size_t> natural_widths() const;
  std::string aligned(std::span<const Row> rows, const std::vector<size_t>& widths,
                      const TextLayout& layout) const;
  std::string list(std::span<const Row> rows, const TextLayout& layout) const;

  std::vector<TextColumn> columns_;
  std::vector<Row> rows_;
};

// The width for a table on a descriptor: a terminal's columns. Without a terminal there is no
// limit, so that a row is a line for other programs.
size_t table_width(int descriptor = 1);

}  // namespace muonlab::base
