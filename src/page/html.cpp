#include "muonlab/page/html.hpp"

#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::page {
namespace {

// The length of the valid UTF-8 sequence at the start of the text; 0 for none.
size_t sequence_length(std::string_view text) {
  for (size_t n = 1; n <= 4 && n <= text.size(); ++n) {
    if (base::is_valid_utf8(text.substr(0, n))) return n;
  }
  return 0;
}

}  // namespace

std::string escape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t length = sequence_length(text);
    switch (text[0]) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += length == 0 ? "\xEF\xBF\xBD" : text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

std::string script_json(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  for (char c : json) {
    if (c == '<') {
      out += "\\u003c";
    } else {
      out += c;
    }
  }
  return out;
}

std::string colour(int index) {
  base::check(index >= 0 && index < kNumColours, "a colour of the page");
  return base::str("var(--c", index, ")");
}

std::string table(std::span<const TableCell> head, std::span<const std::vector<TableCell>> rows) {
  const auto row = [](std::span<const TableCell> cells, const char* tag) {
    std::string text = "<tr>";
    for (const TableCell& cell : cells) {
      text += base::str("<", tag, cell.number ? " class=\"n\">" : ">", cell.html, "</", tag, ">");
    }
    return text + "</tr>\n";
  };
  std::string text = "<div class=\"scroll\"><table>\n";
  if (!head.empty()) text += row(head, "th");
  for (const auto& cells : rows) text += row(cells, "td");
  return text + "</table></div>\n";
}

std::string details(std::string_view summary, std::string_view html) {
  return base::str("<details><summary>", escape(summary), "</summary>\n", html, "</details>\n");
}

}  // namespace muonlab::page
