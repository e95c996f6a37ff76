// A table for a terminal: aligned columns where they fit, else a list with a row's label above its
// figures. No word is ever broken in the middle.
#pragma once

#include <cstddef>
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

class TextTable {
 public:
  // A table without headers has no line of them; its list shows the figures alone.
  explicit TextTable(std::vector<TextColumn> columns);
  // A cell a column. Control characters, which a path may hold, are shown as escapes.
  void add_row(std::vector<std::string> cells);
  // Every line begins with `indent` spaces; no line is longer than `width` columns unless a single
  // word is.
  std::string text(size_t width, size_t indent = 0) const;

 private:
  std::vector<size_t> natural_widths() const;
  std::string aligned(const std::vector<size_t>& widths, size_t indent) const;
  std::string list(size_t width, size_t indent) const;

  std::vector<TextColumn> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// The width for a table on a descriptor: a terminal's columns. Without a terminal there is no
// limit, so that a row is a line for other programs.
size_t table_width(int descriptor = 1);

}  // namespace muonlab::base
