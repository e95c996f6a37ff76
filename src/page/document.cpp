#include "muonlab/page/document.hpp"

#include "muonlab/base/error.hpp"
#include "muonlab/page/html.hpp"
#include "muonlab/page/line_style.hpp"
#include "page/assets.hpp"

namespace muonlab::page {

void Document::section(const std::string& id, const std::string& heading, const std::string& html) {
  sections_.push_back({id, heading, html});
}

std::string Document::curves(const std::string& id, const CurvePanel& panel) {
  panels_ += base::str(panels_.empty() ? "" : ",", "\"", id, "\":", panel_json(panel));
  // Of about its final height from the start: a link to a section below leads there.
  return base::str("<div class=\"curves\" id=\"", id,
                   "\" style=\"min-height:", panel.small ? 260 : 420, "px\"></div>\n");
}

std::string Document::html() const {
  const std::string data = base::str("{\"reload_s\":", reload_s_, ",\"patterns\":", patterns_json(),
                                     ",\"panels\":{", panels_, "}}");

  std::string links, body;
  for (const Section& section : sections_) {
    links += base::str("<a href=\"#", section.id, "\">", escape(section.heading), "</a>");
    body += base::str("<section id=\"", section.id, "\">\n<h2>", escape(section.heading), "</h2>\n",
                      section.html, "</section>\n");
  }
  return base::str(kPageMark,
                   "<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
                   "content=\"width=device-width, "
                   "initial-scale=1\">\n"
                   "<meta name=\"color-scheme\" content=\"light dark\">\n"
                   "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                   "script-src 'unsafe-inline'; "
                   "style-src "
                   "'unsafe-inline'; img-src data:\">\n"
                   "<link rel=\"icon\" href=\"data:,\">\n"
                   "<title>",
                   escape(title_), "</title>\n<style>\n", asset::dygraphs_css, "\n",
                   asset::page_css, "</style>\n</head>\n<body>\n", "<header><div><div><h1>",
                   escape(title_), "</h1><p class=\"sub\">", escape(subtitle_),
                   "</p></div><button id=\"theme\" aria-label=\"switch between light and "
                   "dark\">dark</button></div></header>\n",
                   "<nav><div>", links,
                   "</div></nav>\n<main>\n<noscript><p>The curves are drawn by a script in this "
                   "page; it does not run "
                   "here.</p></noscript>\n",
                   body, "</main>\n<script type=\"application/json\" id=\"data\">",
                   script_json(data), "</script>\n<!--\ndygraphs\n\n", asset::dygraphs_license,
                   "-->\n<script>\n", asset::dygraphs_js,
                   "\n</script>\n<script>\n\"use strict\";\n{\n", asset::tools_js, asset::paper_js,
                   asset::panel_js, asset::page_js, "}\n</script>\n</body>\n</html>\n");
}

}  // namespace muonlab::page
