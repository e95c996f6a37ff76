#include "muonlab/page/html.hpp"

#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::page {
std::string escape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t length = base::utf8_length(text);
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

std::string caption(std::string_view text) {
  return "<caption class=\"unseen\">" + escape(text) + "</caption>\n";
}

std::string table(std::string_view caption_text, std::span<const TableCell> head,
                  std::span<const std::vector<TableCell>> rows) {
  const auto cell_html = [](const TableCell& cell, const char* tag, const char* scope) {
    return base::str("<", tag, scope, cell.number ? " class=\"n\">" : ">", cell.html, "</", tag,
                     ">");
  };
  std::string text =
      "<div class=\"scroll\" tabindex=\"0\"><table>\n" + caption(caption_text) + "<thead><tr>";
  for (const TableCell& cell : head) text += cell_html(cell, "th", " scope=\"col\"");
  text += "</tr></thead>\n<tbody>\n";
  for (const auto& cells : rows) {
    text += "<tr>";
    for (size_t i = 0; i < cells.size(); ++i)
      text += i == 0 ? cell_html(cells[i], "th", " scope=\"row\"") : cell_html(cells[i], "td", "");
    text += "</tr>\n";
  }
  return text + "</tbody></table></div>\n";
}

std::string details(std::string_view summary, std::string_view html) {
  return base::str("<details><summary>", escape(summary), "</summary>\n", html, "</details>\n");
}

}  // namespace muonlab::page
