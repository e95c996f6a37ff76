// What a reader must know before any figure: what is not comparable, which runs no single command
// makes, and which runs went wrong.
#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/page/html.hpp"
#include "sections.hpp"

namespace muonlab::study {
namespace {

using base::str;
using page::escape;

std::string notice(const std::string& text) {
  return "<p class=\"notice\">" + escape(text) + "</p>\n";
}

std::string comparability_notices(const ReportData& data) {
  std::string html;
  for (const std::string& reason : data.comparability.reasons) html += notice(reason);
  if (data.num_groups == 1) return html;
  html += notice(
      "Runs whose losses can be compared with each other stand together below. A block "
      "of a sweep whose rows cannot be compared has no verdict.");
  std::vector<std::string> runs(data.num_groups);
  for (const ReportRun& run : data.runs) {
    std::string& list = runs[run.group];
    list += (list.empty() ? "" : ", ") + run.record.path;
  }
  for (size_t group = 0; group < runs.size(); ++group)
    html += page::details(group_title(group), "<p>" + escape(runs[group]) + "</p>\n");
  return html;
}

}  // namespace

std::string notices_html(const ReportData& data) {
  std::string html = comparability_notices(data);
  for (const ReportRun& run : data.runs) {
    const record::RunRecord& record = run.record;
    if (const std::vector<std::string> changes = change_texts(record); !changes.empty()) {
      html += notice(str(record.path, " was resumed with other settings (",
                         base::join(changes, "; "), "): no single command makes it."));
    }
    if (record.diverged()) {
      html += notice(record.path +
                     " diverged: a loss, a gradient or a weight is not finite. Its earlier losses "
                     "are no result.");
    }
    if (record.history.end && !record.history.end->warning.empty())
      html += notice(record.path + ": " + record.history.end->warning);
  }
  return html;
}

}  // namespace muonlab::study
