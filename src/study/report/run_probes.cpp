#include "run_probes.hpp"

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/record/json_lines.hpp"

namespace muonlab::study {
namespace {

using nlohmann::json;

// Mean, or greatest, of the values that came for a step.
struct Pool {
  double sum = 0, greatest = -INFINITY;
  int64_t count = 0;
  void add(double value) {
    sum += value;
    greatest = std::max(greatest, value);
    ++count;
  }
};

bool is_measure(const std::string& key) { return key != "step" && key != "layer" && key != "head"; }

void append(TailTrace& trace, const json& line) {
  trace.steps.push_back(record::count_in(line, "step"));
  trace.first_token.push_back(record::number_in(line, "first_token_accuracy", NAN));
  trace.exact.push_back(record::number_in(line, "exact_accuracy", NAN));
  trace.loss.push_back(record::number_in(line, "loss", NAN));
  trace.questions = record::count_in(line, "questions");
}

}  // namespace

void read_spectra(const std::string& path, ReportRun& run) {
  if (!base::real_file_system().exists(path)) return;
  std::map<TraceKey, std::map<int64_t, Pool>> pools;
  record::each_json_line(path, [&](const json& line) {
    const std::string of = record::text_in(line, "of");
    const std::string role = of == "attention" ? of : record::text_in(line, "role");
    // A matrix counts as a whole; its heads one by one only where there is no whole, as for O V.
    if (of.empty() || role.empty() || (line.contains("head") && role != "ov")) return;
    for (const auto& [key, value] : line.items()) {
      if (value.is_number() && is_measure(key))
        pools[{of, key, role}][record::count_in(line, "step")].add(value.get<double>());
    }
  });
  for (const auto& [key, steps] : pools) {
    Trace& trace = run.spectra[key];
    for (const auto& [step, pool] : steps) {
      trace.steps.push_back(step);
      trace.values.push_back(key.of == "attention" ? pool.greatest
                                                   : pool.sum / static_cast<double>(pool.count));
    }
  }
}

void read_tail(const std::string& path, ReportRun& run) {
  if (!base::real_file_system().exists(path)) return;
  record::each_json_line(path, [&](const json& line) {
    if (line.contains("group")) {
      append(run.groups[record::count_in(line, "group")], line);
    } else if (const std::string attribute = record::text_in(line, "attribute");
               !attribute.empty()) {
      append(run.attributes[attribute], line);
    }
  });
}

void read_sharpness(const std::string& path, ReportRun& run) {
  if (!base::real_file_system().exists(path)) return;
  record::each_json_line(path, [&](const json& line) {
    if (record::text_in(line, "of") != "update" || !line.contains("nds")) return;
    run.sharpness.push_back({.step = record::count_in(line, "step"),
                             .loss = record::number_in(line, "loss", NAN),
                             .nds = record::number_in(line, "nds", NAN),
                             .within = record::number_in(line, "within", NAN),
                             .gradient = record::number_in(line, "gradient", NAN),
                             .curvature = record::number_in(line, "curvature", NAN)});
  });
}

void read_token_rows(const std::string& path, ReportRun& run) {
  if (!base::real_file_system().exists(path)) return;
  record::each_json_line(path, [&](const json& line) {
    run.token_rows.push_back({.step = record::count_in(line, "step"),
                              .of = record::text_in(line, "of"),
                              .group = record::count_in(line, "group"),
                              .update_rms = record::number_in(line, "update_rms", NAN),
                              .in_step = record::number_in(line, "update_rms_in_step", NAN)});
  });
}

void read_assignment(const std::string& path, ReportRun& run) {
  if (!base::real_file_system().exists(path)) return;
  const std::vector<std::string> lines = base::split(base::read_text(path), '\n');
  const std::vector<std::string> head = base::split(lines.front(), '\t');
  const auto column = [&](const char* name) {
    const auto at = std::find(head.begin(), head.end(), name);
    if (at == head.end())
      throw base::Error(path, ": has no column \"", name,
                        "\"; muonlab train writes it again when the run resumes");
    return static_cast<size_t>(at - head.begin());
  };
  const size_t parameter = column("parameter"), role = column("role"), shape = column("shape"),
               optimizer = column("optimizer"), rule = column("rule"),
               rate = column("learning_rate"), decay = column("decay"),
               selectors = column("selectors");
  for (size_t i = 1; i < lines.size(); ++i) {
    const std::vector<std::string> cells = base::split(lines[i], '\t');
    if (cells.size() != head.size()) continue;  // the end of the file
    run.assignment.push_back({cells[parameter], cells[role], cells[shape], cells[optimizer],
                              cells[rule], cells[rate], cells[decay], cells[selectors]});
  }
}

}  // namespace muonlab::study
