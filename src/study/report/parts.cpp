// What several sections of a report share.
#include <algorithm>

#include "muonlab/base/error.hpp"
#include "muonlab/base/statistics.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/page/html.hpp"
#include "muonlab/page/line_style.hpp"
#include "sections.hpp"

namespace muonlab::study {
namespace {

using base::str;
using page::escape;

// A word as a shell wants it.
std::string shell_word(const std::string& word) {
  const bool plain =
      !word.empty() &&
      word.find_first_not_of(
          "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./=+:@%,-") ==
          std::string::npos;
  if (plain) return word;
  std::string quoted = "'";
  for (char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

}  // namespace

std::string by_block(const ReportData& data, const std::vector<std::string>& parts, bool all_open) {
  std::string html;
  bool first = true;
  for (size_t block = 0; block < parts.size(); ++block) {
    const std::string& title = data.blocks[block].title;
    if (parts[block].empty()) continue;
    if (title.empty()) {
      html += parts[block];
    } else if (first || all_open) {
      html += "<h3>" + escape(title) + "</h3>\n" + parts[block];
    } else {
      html += page::details(title, parts[block]);
    }
    first = false;
  }
  return html;
}

std::string row_name(const ReportRow& row) {
  return page::line_sample(*row.colour, row.marker) + escape(row.label);
}

std::string run_detail(const ReportRun& run) { return str("seed ", run.record.config.seed); }

std::string group_title(size_t group) {
  return "group " +
         (group < 26 ? std::string(1, static_cast<char>('A' + group)) : std::to_string(group + 1));
}

std::string run_command(const ReportRun& run) {
  if (!run.record.history.changed().empty()) return "";
  const std::string from =
      run.branched_from.empty() ? "" : " --from " + shell_word(run.branched_from);
  const config::TrainConfig& train = run.record.config.train;
  const std::string length = train.seconds ? str(" --set train.steps=", *train.steps) : "";
  return str("muonlab train ", shell_word(run.record.path + "/resolved.json"), length,
             " --run-dir ", shell_word(run.record.path + "-again"), from);
}

std::vector<std::string> change_texts(const record::RunRecord& run) {
  std::vector<std::string> texts;
  for (const record::RunStart& start : run.history.changed()) {
    for (const record::Change& change : start.changes) {
      const auto& [path, before, after] = change.difference;
      texts.push_back(str("at step ", base::with_commas(start.step), " ", path, " ",
                          before.empty() ? "(unset)" : before, " → ",
                          after.empty() ? "(unset)" : after));
    }
  }
  return texts;
}

std::string report_command(const ReportData& data) {
  std::string command = "muonlab report";
  for (const std::string& path : data.paths) command += " " + shell_word(path);
  return command;
}

std::string from_line(const ReportData& data, const std::string& file,
                      const std::string& json_place) {
  const std::string where = data.runs.size() == 1
                                ? escape(data.runs[0].record.path + "/" + file)
                                : str(file, " of the ", data.runs.size(), " runs");
  std::string again = "the <a href=\"#commands\">commands below</a>";
  if (data.runs.size() == 1) {
    const std::string command = run_command(data.runs[0]);
    again = command.empty() ? "no single command, since settings were changed at a resume"
                            : "<code>" + escape(command) + "</code>";
  }
  if (data.sweeps.size() == 1) again = "<code>" + escape(data.sweeps[0].command) + "</code>";
  return str("<p class=\"from\">Drawn by <code>", escape(report_command(data)), "</code> from ",
             where, "; run again by ", again, "; numbers in report.json: <code>",
             escape(json_place), "</code></p>\n");
}

std::string p_value(double p) { return p < 1e-15 ? "&lt; 1e-15" : base::significant(p, 2); }

double tokens_per_second(const record::RunRecord& run) {
  std::vector<double> rates;
  for (const record::StepTiming& timing : run.timing) rates.push_back(timing.tokens_per_s);
  return rates.empty() ? 0 : base::median(rates);
}

double peak_memory_mb(const record::RunRecord& run) {
  double peak = 0;
  for (const record::StepTiming& timing : run.timing) peak = std::max(peak, timing.peak_rss_mb);
  return peak;
}

}  // namespace muonlab::study
