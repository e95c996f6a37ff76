// Who got which optimizer, and with what settings the runs ran.
#include <algorithm>
#include <map>
#include <set>

#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/config/role.hpp"
#include "muonlab/page/html.hpp"
#include "sections.hpp"

namespace muonlab::study {
namespace {

using base::str;
using page::escape;
using page::TableCell;

// The rules on the page, in the order in which its assignments name them. A rule's place decides
// its colour, so that a rule of any name has one of its own.
std::vector<std::string> rules_of(const ReportData& data) {
  std::vector<std::string> rules;
  for (const ReportRun& run : data.runs) {
    for (const AssignmentLine& line : run.assignment) {
      if (std::find(rules.begin(), rules.end(), line.rule) == rules.end())
        rules.push_back(line.rule);
    }
  }
  return rules;
}

// "muon 0.01" of a role's parameters; both where a layer range splits it.
std::string role_cell(const ReportRun& run, std::string_view role,
                      const std::vector<std::string>& rules) {
  std::vector<std::string> shown;
  std::string rule;
  for (const AssignmentLine& line : run.assignment) {
    if (line.role != role) continue;
    const std::string text = str(escape(line.rule), "<br>", escape(line.learning_rate));
    if (std::find(shown.begin(), shown.end(), text) == shown.end()) shown.push_back(text);
    rule = line.rule;
  }
  if (shown.empty()) return "<td></td>";
  const auto place = std::find(rules.begin(), rules.end(), rule) - rules.begin();
  return str("<td class=\"rule\" style=\"--rule:",
             page::colour(static_cast<int>(place) % page::kNumColours), "\">",
             base::join(shown, " / "), "</td>");
}

bool has_role(const ReportData& data, size_t block, std::string_view role) {
  return std::any_of(data.runs.begin(), data.runs.end(), [&](const ReportRun& run) {
    return run.block == block && std::any_of(run.assignment.begin(), run.assignment.end(),
                                             [&](const auto& line) { return line.role == role; });
  });
}

// One line a distinct assignment of a block, over the roles.
std::string roles_table(const ReportData& data, size_t block) {
  constexpr const auto& kRoles = config::EnumNames<config::Role>::names;
  const std::vector<std::string> rules = rules_of(data);
  std::vector<std::string_view> roles;  // a model without biases needs no column for them
  for (const std::string_view role : kRoles) {
    if (has_role(data, block, role)) roles.push_back(role);
  }
  std::string head = "<tr><th scope=\"col\">row</th>", body;
  for (std::string_view role : roles) head += str("<th scope=\"col\">", role, "</th>");
  for (size_t row = 0; row < data.rows.size(); ++row) {
    const std::vector<size_t> own = members(data, block, row);
    if (own.empty() || data.runs[own[0]].assignment.empty()) continue;
    body += "<tr><th scope=\"row\">" + row_name(data.rows[row]) + "</th>";
    for (std::string_view role : roles) body += role_cell(data.runs[own[0]], role, rules);
    body += "</tr>\n";
  }
  if (body.empty()) return "";
  return "<div class=\"scroll\" tabindex=\"0\"><table class=\"roles\">\n" +
         page::caption("rule and learning rate by role of the parameter") + "<thead>" + head +
         "</tr></thead>\n<tbody>\n" + body + "</tbody></table></div>\n";
}

std::string full_table(const ReportRun& run) {
  std::vector<std::vector<TableCell>> rows;
  for (const AssignmentLine& line : run.assignment) {
    rows.push_back({{"<code>" + escape(line.parameter) + "</code>"},
                    {escape(line.role)},
                    {escape(line.shape), true},
                    {escape(line.optimizer)},
                    {escape(line.rule)},
                    {escape(line.learning_rate), true},
                    {escape(line.decay), true},
                    {escape(line.selectors)}});
  }
  const std::vector<TableCell> head{{"parameter"},   {"role"},       {"shape", true},
                                    {"optimizer"},   {"rule"},       {"learning rate", true},
                                    {"decay", true}, {"selected by"}};
  return page::table("optimizer, learning rate and decay of every parameter", head, rows);
}

std::string block_heading(const ReportData& data, size_t block) {
  return data.blocks[block].title.empty() ? ""
                                          : "<h3>" + escape(data.blocks[block].title) + "</h3>\n";
}

// A row's label with its block where there are several.
std::string full_label(const ReportData& data, size_t block, size_t row) {
  return data.rows[row].label +
         (data.blocks[block].title.empty() ? "" : " · " + data.blocks[block].title);
}

template <class Visit>
void each_row(const ReportData& data, Visit&& visit) {
  for (size_t block = 0; block < data.blocks.size(); ++block) {
    for (size_t row = 0; row < data.rows.size(); ++row) {
      const std::vector<size_t> own = members(data, block, row);
      if (!own.empty()) visit(block, row, own);
    }
  }
}

// Settings in which the rows differ (not seed and name, and not what their assignment tables show).
std::string differences_html(const ReportData& data) {
  const config::RunConfig& first = data.runs[0].record.config;
  std::vector<std::string> paths;
  std::map<std::string, std::string> base;
  std::map<size_t, std::map<std::string, std::string>> changed;
  for (size_t i = 0; i < data.runs.size(); ++i) {
    for (const config::Difference& difference :
         config::diff_configs(first, data.runs[i].record.config)) {
      if (difference.path == "name" || difference.path == "seed") continue;
      if (std::find(paths.begin(), paths.end(), difference.path) == paths.end())
        paths.push_back(difference.path);
      base[difference.path] = difference.before;
      changed[i][difference.path] = difference.after;
    }
  }
  if (paths.empty()) return "";
  std::vector<TableCell> head{{"setting"}};
  std::vector<size_t> shown;
  each_row(data, [&](size_t block, size_t row, const std::vector<size_t>& own) {
    head.push_back(
        {row_name({full_label(data, block, row), *data.rows[row].colour, data.rows[row].marker})});
    shown.push_back(own[0]);
  });
  std::vector<std::vector<TableCell>> rows;
  for (const std::string& path : paths) {
    std::vector<TableCell> cells{{"<code>" + escape(path) + "</code>"}};
    for (size_t i : shown) {
      const auto own = changed[i].find(path);
      cells.push_back(
          {"<code>" + escape(own == changed[i].end() ? base[path] : own->second) + "</code>"});
    }
    rows.push_back(std::move(cells));
  }
  return "<p>What differs, except seeds and names:</p>\n" +
         page::table("settings in which the rows differ", head, rows);
}

}  // namespace

std::string assignment_html(const ReportData& data) {
  std::string tables, full;
  for (size_t block = 0; block < data.blocks.size(); ++block) {
    const std::string table = roles_table(data, block);
    if (!table.empty()) tables += block_heading(data, block) + table;
  }
  if (tables.empty()) return "";
  each_row(data, [&](size_t block, size_t row, const std::vector<size_t>& own) {
    full += page::details(full_label(data, block, row) + ": every parameter",
                          full_table(data.runs[own[0]]));
  });
  if (data.rows.size() * data.blocks.size() > 3)
    full = page::details("Every parameter of every row", full);
  return "<p class=\"note\">Rule and learning rate by role; the feed-forward layer is "
         "W<sub>out</sub>(act(W<sub>in</sub> h) · W<sub>gate</sub> h).</p>\n" +
         tables + full + from_line(data, "assignment.tsv", "runs[].assignment");
}

std::string settings_html(const ReportData& data) {
  std::string html = data.runs.size() > 1 ? differences_html(data) : "", all;
  for (const ReportRun& run : data.runs) {
    all += page::details(run.record.path + "/resolved.json",
                         "<pre>" + escape(config::dump_config(run.record.config)) + "</pre>\n");
  }
  return html + (data.runs.size() > 3
                     ? page::details(str("All ", data.runs.size(), " resolved configurations"), all)
                     : all);
}

std::string commands_html(const ReportData& data) {
  std::string runs;
  for (const ReportRun& run : data.runs) {
    const std::string command = run_command(run);
    runs += (command.empty() ? str("# ", run.record.path, ": no single command makes it; ",
                                   base::join(change_texts(run.record), "; "))
                             : command) +
            "\n";
  }
  const std::string block = "<pre>" + escape(runs) + "</pre>\n";
  std::string html =
      "<p>This page and report.json:</p>\n<pre>" + escape(report_command(data)) + "</pre>\n";
  for (const SweepResult& sweep : data.sweeps) {
    html += "<p>The sweep. The same command resumes it where it stopped:</p>\n<pre>" +
            escape(sweep.command) + "</pre>\n";
  }
  if (data.runs.empty()) return html;
  html +=
      "<p>Every run again, from its resolved configuration; on the same machine and build it gives "
      "the same bytes of "
      "metrics.jsonl:</p>\n";
  html += data.runs.size() > 12 ? page::details(str("The ", data.runs.size(), " commands"), block)
                                : block;
  std::set<std::string> builds;
  for (const ReportRun& run : data.runs) {
    if (!run.record.commit.empty())
      builds.insert(str("muonlab ", run.record.commit,
                        run.record.processor.empty() ? "" : " on " + run.record.processor));
  }
  for (const std::string& build : builds) html += "<p class=\"note\">" + escape(build) + "</p>\n";
  return html;
}

}  // namespace muonlab::study
