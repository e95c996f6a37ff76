#include "muonlab/study/report/page.hpp"

#include <algorithm>

#include "muonlab/base/clock.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/page/html.hpp"
#include "muonlab/record/run_folder.hpp"
#include "sections.hpp"

namespace muonlab::study {
namespace {

using base::fixed;
using base::human_count;
using base::str;
using page::escape;
using page::TableCell;

constexpr std::string_view kNumbersMark = "{\n  \"muonlab_report\":";

std::string state_of(const record::RunRecord& run) {
  const int64_t step = run.train.empty() ? 0 : run.train.back().step;
  if (run.finished()) return str(base::with_commas(run.steps), " steps, finished");
  return str(run.diverged() ? "diverged at step " : "step ", base::with_commas(step), " of ",
             base::with_commas(run.steps));
}

// The last validation; none of a run that diverged, whose earlier losses are no result.
const record::Validation* last_validation(const record::RunRecord& run) {
  return run.diverged() || run.validations.empty() ? nullptr : &run.validations.back();
}

std::string last_loss(const record::RunRecord& run) {
  if (run.diverged()) return "diverged";
  const record::Validation* last = last_validation(run);
  return last ? fixed(last->loss, 4) : "–";
}

bool is_saved(const record::RunRecord& run, int64_t step) {
  return base::real_file_system().exists(record::RunFolder(run.path).manifest(step));
}

std::string facts_html(const ReportRun& run) {
  const record::RunRecord& record = run.record;
  std::string html = "<dl class=\"facts\">\n";
  const auto fact = [&](const std::string& name, const std::string& text) {
    html += str("<dt>", escape(name), "</dt><dd>", escape(text), "</dd>\n");
  };
  fact("state", state_of(record));
  for (const std::string& change : change_texts(record)) fact("changed", change);
  if (record.diverged()) fact("validation loss", "none: the run diverged");
  if (const record::Validation* found = last_validation(record)) {
    const record::Validation& last = *found;
    const auto best =
        std::min_element(record.validations.begin(), record.validations.end(),
                         [](const auto& a, const auto& b) { return a.loss < b.loss; });
    const auto figures = [&last](const record::Validation& on) {
      return str(fixed(on.loss, 4), " nats a token at step ", base::with_commas(last.step),
                 "; perplexity ", base::perplexity_text(on.perplexity), ", ",
                 base::bits_per_byte_text(on.bits_per_byte), " bits a byte");
    };
    fact("validation loss", figures(last));
    for (const auto& [name, set] : last.sets) fact("on the set " + name, figures(set));
    if (best->step != last.step)
      fact("best", str(fixed(best->loss, 4), " at step ", base::with_commas(best->step),
                       is_saved(record, best->step) ? "" : "; its weights were not kept"));
  }
  fact("model", str(human_count(static_cast<double>(record.num_parameters)), " parameters, ",
                    record.config.model.layers, " layers, width ", record.config.model.width));
  if (!record.train.empty())
    fact("tokens", human_count(static_cast<double>(record.train.back().tokens)));
  if (run.seconds > 0) {
    fact("speed",
         str(base::with_commas(static_cast<int64_t>(tokens_per_second(record))), " tokens/s, ",
             base::human_duration(run.seconds), " of training, ",
             base::human_bytes(static_cast<uint64_t>(peak_memory_mb(record) * 1e6)), " at most"));
  }
  if (!record.commit.empty())
    fact("built from",
         record.commit + (record.processor.empty() ? "" : ", on " + record.processor));
  return html + "</dl>\n";
}

std::vector<TableCell> runs_row(const ReportData& data, const ReportRun& run) {
  const record::RunRecord& record = run.record;
  const record::Validation* last = last_validation(record);
  const bool timed = !record.timing.empty();
  const std::string changed =
      record.history.changed().empty() ? "" : " <small>settings changed</small>";
  return {
      {escape(record.path)},
      {row_name(data.rows[run.row])},
      {escape(state_of(record)) + changed},
      {last_loss(record), true},
      {last ? base::perplexity_text(last->perplexity) : "–", true},
      {last ? base::bits_per_byte_text(last->bits_per_byte) : "–", true},
      {record.train.empty() ? "–" : human_count(static_cast<double>(record.train.back().tokens)),
       true},
      {timed ? base::with_commas(static_cast<int64_t>(tokens_per_second(record))) : "–", true},
      {timed ? base::human_duration(run.seconds) : "–", true}};
}

// A table for each group of runs whose losses are comparable.
std::string runs_tables(const ReportData& data) {
  const std::vector<TableCell> head{{"run"},
                                    {"row"},
                                    {"state"},
                                    {"validation loss", true},
                                    {"perplexity", true},
                                    {"bits a byte", true},
                                    {"tokens", true},
                                    {"tokens/s", true},
                                    {"time", true}};
  std::string html;
  for (size_t group = 0; group < data.num_groups; ++group) {
    std::vector<std::vector<TableCell>> rows;
    for (const ReportRun& run : data.runs) {
      if (run.group == group) rows.push_back(runs_row(data, run));
    }
    if (data.num_groups > 1) html += "<h3>" + group_title(group) + "</h3>\n";
    html += page::table("the runs with their state and last figures", head, rows);
  }
  return html;
}

// Before a sweep has begun a run of its table.
std::string searching_html(const ReportData& data) {
  size_t finished = 0, all = 0;
  for (const SweepResult& sweep : data.sweeps) {
    for (const CellResult& cell : sweep.cells) {
      finished += cell.status.state == CellState::finished;
      all += cell.tuning;
    }
  }
  if (data.complete) {
    return "<p>The table has no runs, because every trial of a search diverged. Lower its grid in "
           "the sweep file and run the sweep again.</p>\n";
  }
  return str("<p>The runs of the table begin when their settings are found. ", finished, " of ",
             all, " runs of the searches have finished; searches may ask for more.</p>\n");
}

std::string subtitle(const ReportData& data) {
  const auto finished = std::count_if(data.runs.begin(), data.runs.end(),
                                      [](const ReportRun& run) { return run.record.finished(); });
  const std::string made = base::iso_utc_now().substr(0, 16);
  const std::string state = data.runs.empty()
                                ? (data.complete ? "no settings found" : "searching")
                                : str(data.runs.size(), data.runs.size() == 1 ? " run" : " runs",
                                      ", ", finished, " finished");
  return str(state, "; made ", made.substr(0, 10), " ", made.substr(11), " UTC");
}

void refuse_foreign(const std::string& path, std::string_view mark) {
  base::FileSystem& files = base::real_file_system();
  if (!files.exists(path)) return;
  if (!files.is_directory(path) && base::read_text(path).starts_with(mark)) return;
  throw base::Error(path,
                    ": exists already and is not a report of muonlab. Move it away, or name "
                    "another folder with --out.");
}

}  // namespace

std::string summary_html(const ReportData& data) {
  if (data.runs.size() == 1) return facts_html(data.runs[0]);
  const std::string table = runs_tables(data);
  return data.runs.size() > 12 ? page::details(str("The ", data.runs.size(), " runs"), table)
                               : table;
}

std::string report_html(const ReportData& data, double reload_s) {
  base::check(data.begun, "a report of no run");
  page::Document document(data.title, subtitle(data));
  document.set_reload(reload_s);
  const auto add = [&](const char* id, const char* heading, const std::string& html) {
    if (!html.empty()) document.section(id, heading, html);
  };
  if (data.runs.empty()) {
    add("searching", "Searching", searching_html(data));
    add("rates", "Rates", rates_html(data));
    add("commands", "Commands", commands_html(data));
    return document.html();
  }
  add("notices", "Before you read", notices_html(data));
  add("verdict", "Verdict", verdict_html(data));
  add("ablation", "Ablation", ablation_html(data));
  add("gains", "Gain by length and size", gains_html(data));
  add("summary", data.runs.size() == 1 ? "Summary" : "Runs", summary_html(data));
  add("valid-sets", "Validation sets", valid_sets_html(data));
  add("loss", "Loss", loss_html(data, document));
  add("spectra", "Spectra", spectra_html(data, document));
  add("sharpness", "Sharpness", sharpness_html(data));
  add("token-rows", "Rows of embedding and head", token_rows_html(data));
  add("rare", "Rare facts", tail_html(data, document));
  add("assignment", "Assignment", assignment_html(data));
  add("rates", "Rates", rates_html(data));
  add("throughput", "Throughput", throughput_html(data));
  add("settings", "Configurations", settings_html(data));
  add("commands", "Commands", commands_html(data));
  return document.html();
}

std::string default_report_folder(const std::vector<std::string>& paths) {
  return paths.size() == 1 ? paths.front() : "report";
}

ReportFiles write_report(const ReportData& data, const std::string& folder, double reload_s) {
  if (!data.begun) {
    throw base::Error(data.paths.front(),
                      ": no cell of the sweep has begun yet; `muonlab sweep` runs them");
  }
  const ReportFiles files{base::join_path(folder, "report.html"),
                          base::join_path(folder, "report.json")};
  base::make_directories(folder);
  refuse_foreign(files.page, page::kPageMark);
  refuse_foreign(files.numbers, kNumbersMark);
  base::write_atomically(files.numbers, report_json(data));
  base::write_atomically(files.page, report_html(data, reload_s));
  return files;
}

}  // namespace muonlab::study
