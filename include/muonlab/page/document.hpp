// One self-contained HTML page: sections, curves, styles and scripts in one file that loads nothing
// (its content security policy forbids it). Light or dark as the reader's system says, with a
// switch.
#pragma once

#include <string>
#include <vector>

#include "muonlab/page/curves.hpp"

namespace muonlab::page {

class Document {
 public:
  // Texts, not HTML.
  Document(std::string title, std::string subtitle)
      : title_(std::move(title)), subtitle_(std::move(subtitle)) {}

  // The navigation shows the heading (text). The id is a name of ours. Sections appear in the order
  // of the calls.
  void section(const std::string& id, const std::string& heading, const std::string& html);
  // The place of a panel of curves, to stand in a section's HTML.
  std::string curves(const std::string& id, const CurvePanel& panel);
  // The page loads itself anew every so often, while no chart is zoomed. 0: never.
  void set_reload(double seconds) { reload_s_ = seconds; }

  std::string html() const;

 private:
  struct Section {
    std::string id, heading, html;
  };
  std::string title_, subtitle_;
  double reload_s_ = 0;
  std::vector<Section> sections_;
  std::string panels_;  // "id":JSON,…
};

// How every page of ours begins: tells it from a file that is not ours to replace.
inline constexpr std::string_view kPageMark = "<!doctype html>\n<!-- a page of muonlab -->\n";

}  // namespace muonlab::page
