// Text on its way into a page.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace muonlab::page {

// Text between tags or in a quoted attribute: & < > " ' become entities, bytes that are no UTF-8
// become U+FFFD.
std::string escape(std::string_view text);
// JSON (valid) between <script> tags: no "<" is left in it, so that no </script> or <!-- can end
// it; the same JSON still.
std::string script_json(std::string_view json);

// One of the eight colours of page.css as a CSS value, "var(--c3)". 0 is Adam's, 1 is Muon's.
inline constexpr int kNumColours = 8;
std::string colour(int index);

struct TableCell {
  std::string html;     // as is; text goes through escape() first
  bool number = false;  // aligned to the right
};
// A table that scrolls sideways on a narrow screen; the first cell of a row is its heading. The
// caption (text) is for a screen reader: the page shows headings of its own.
std::string table(std::string_view caption, std::span<const TableCell> head,
                  std::span<const std::vector<TableCell>> rows);
std::string caption(std::string_view text);

// <details> with a summary (text) and content (HTML).
std::string details(std::string_view summary, std::string_view html);

}  // namespace muonlab::page
