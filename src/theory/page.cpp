// The pages of the laboratory.
#include <algorithm>

#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/page/document.hpp"
#include "muonlab/page/html.hpp"
#include "output.hpp"

namespace muonlab::theory {
namespace {

using base::str;
using page::escape;
using page::TableCell;

constexpr size_t kShownRows = 400;  // of a table on the page; the CSV has all

std::string paragraph(const std::string& text) { return "<p>" + escape(text) + "</p>\n"; }

size_t count_holding(const Result& result) {
  return static_cast<size_t>(std::count_if(result.claims.begin(), result.claims.end(),
                                           [](const Claim& claim) { return claim.holds(); }));
}

std::string verdict_line(const Record& record) {
  const size_t count = record.result.claims.size(), holding = count_holding(record.result);
  std::string text = holding == count && count > 0
                         ? str("All ", count, " claims hold.")
                         : str(holding, " of ", count, " claims hold; ", count - holding,
                               count - holding == 1 ? " does not." : " do not.");
  if (!record.complete)
    text +=
        " The run was interrupted: what is missing was not checked. The tables hold what was "
        "computed until then.";
  return "<p class=\"verdict\"><strong>" + escape(text) + "</strong></p>\n";
}

// A row on a wide screen; on a phone a block whose figures have their names beside them.
std::string claim_row(const Claim& claim) {
  std::string measured = figure_text(claim.measured);
  if (claim.confidence && claim.confidence->bounded()) {
    measured += str(" <small>[", figure_text(claim.confidence->low), ", ",
                    figure_text(claim.confidence->high), "]</small>");
  }
  const std::string note =
      claim.note.empty() ? "" : "<br><small>" + escape(claim.note) + "</small>";
  const std::string owner = claim.owner == ClaimOwner::paper ? "paper" : "ours";
  const bool more = !claim.source.empty() && claim.source != owner;
  const std::string whose = owner + (more ? ", " + escape(claim.source) : "");
  const auto figure = [](const char* name, const std::string& html) {
    return str("<td class=\"n\" data-name=\"", name, "\">", html, "</td>");
  };
  return str("<tr><th scope=\"row\">", claim.holds() ? "holds" : "<strong>does not hold</strong>",
             "</th><td class=\"said\">", escape(claim.statement), note, "</td>",
             figure("measured", measured),
             figure("predicted", claim.predicted ? figure_text(*claim.predicted) : "–"),
             figure("accepted", escape(accepted_text(claim.accepted))),
             "<td class=\"said\" data-name=\"whose claim\">", whose, "</td></tr>\n");
}

std::string claims_table(const Result& result) {
  std::string html =
      "<table class=\"claims\">\n" + page::caption("claims with their verdicts") +
      "<thead><tr><th scope=\"col\">verdict</th><th scope=\"col\">claim</th><th scope=\"col\" "
      "class=\"n\">measured</th><th scope=\"col\" class=\"n\">predicted</th><th scope=\"col\" "
      "class=\"n\">accepted</th><th scope=\"col\">whose claim</th></tr></thead>\n<tbody>\n";
  for (const Claim& claim : result.claims) html += claim_row(claim);
  return html + "</tbody></table>\n";
}

std::string table_html(const Table& table) {
  std::vector<TableCell> head;
  for (size_t i = 0; i < table.columns.size(); ++i) {
    const bool number = !table.rows.empty() && std::holds_alternative<double>(table.rows[0][i]);
    head.push_back({escape(table.columns[i]), number});
  }
  std::vector<std::vector<TableCell>> rows;
  for (size_t i = 0; i < std::min(kShownRows, table.rows.size()); ++i) {
    std::vector<TableCell> row;
    for (const Cell& cell : table.rows[i]) {
      const auto* text = std::get_if<std::string>(&cell);
      row.push_back(text ? TableCell{escape(*text)}
                         : TableCell{figure_text(std::get<double>(cell)), true});
    }
    rows.push_back(std::move(row));
  }
  const std::string more = table.rows.size() > kShownRows
                               ? str("The first ", kShownRows, " of ", table.rows.size(), " rows. ")
                               : "";
  return page::details(
      str(table.name, ".csv: ", table.about),
      (more.empty() ? "" : paragraph(more)) + page::table(table.about, head, rows));
}

}  // namespace

std::string record_html(const Record& record) {
  const Result& result = record.result;
  page::Document document(record.title, str(record.paper, "; ", record.about));
  std::string claims = verdict_line(record) + claims_table(result);
  claims +=
      "<p class=\"note\">“Accepted” was fixed before the first run. “Paper” marks a statement of "
      "the paper, “ours” one that this project derived where the paper’s own is not known to "
      "it. An interval in brackets is a 95 % interval of the fit.</p>\n";
  document.section("claims", "Claims", claims);
  for (const Section& section : result.sections) {
    document.section(section.id, section.heading,
                     (section.text.empty() ? "" : paragraph(section.text)) +
                         (section.plots.empty() ? "" : page::xy_plots(section.plots)) +
                         section.html);
  }
  if (!result.remarks.empty()) {
    std::string html;
    for (const std::string& remark : result.remarks) html += paragraph(remark);
    document.section("remarks", "Remarks", html);
  }
  std::string tables;
  for (const Table& table : result.tables) tables += table_html(table);
  if (!tables.empty()) document.section("numbers", "Numbers", tables);
  document.section("settings", "Settings",
                   str("<pre>", escape(record.settings), "</pre>\n<p class=\"from\">Made by <code>",
                       escape(record.command), "</code> with ", record.threads,
                       record.threads == 1 ? " compute thread." : " compute threads.",
                       " All numbers are in result.json too.</p>\n"));
  return document.html();
}

std::string overview_html(const std::vector<Record>& records) {
  size_t count = 0, holding = 0;
  for (const Record& record : records) {
    count += record.result.claims.size();
    holding += count_holding(record.result);
  }
  page::Document document("The theory laboratory",
                          str(holding, " of ", count, " claims hold in ", records.size(),
                              records.size() == 1 ? " experiment" : " experiments"));
  for (const Record& record : records) {
    document.section(record.name, record.name,
                     str("<p><a href=\"", record.name, "/index.html\">", escape(record.title),
                         "</a> (", escape(record.paper), "): ", escape(record.about), "</p>\n",
                         verdict_line(record), claims_table(record.result)));
  }
  return document.html();
}

}  // namespace muonlab::theory
