#include "muonlab/theory/run.hpp"

#include <unistd.h>

#include <iostream>

#include "muonlab/base/clock.hpp"
#include "muonlab/base/cpu.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/signals.hpp"
#include "muonlab/base/terminal.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/base/text_table.hpp"
#include "muonlab/base/usage_error.hpp"
#include "muonlab/config/typed.hpp"
#include "muonlab/tensor/runtime.hpp"
#include "muonlab/theory/experiments.hpp"
#include "output.hpp"

namespace muonlab::theory {
namespace {

template <class Visit>
void each_experiment(Visit&& visit) {
  [&]<size_t... I>(std::index_sequence<I...>) {
    (visit(std::variant_alternative_t<I, Experiment>{}), ...);
  }
  (std::make_index_sequence<std::variant_size_v<Experiment>>{});
}

std::string shell_word(const std::string& word) {
  if (word.find_first_of(" '\"[]{}$*?&;|<>()\\`!#~\t\n") == std::string::npos) return word;
  std::string quoted = "'";
  for (char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string command_of(const std::string& name, const TheoryRequest& request) {
  std::string command = "muonlab theory " + name;
  if (!request.config.empty()) command += " --config " + shell_word(request.config);
  for (const std::string& setting : request.settings) command += " --set " + shell_word(setting);
  return command;
}

// The experiment of that name with the settings asked for.
Experiment configured(const TheoryRequest& request) {
  std::optional<Experiment> found;
  std::vector<std::string> names;
  each_experiment([&]<class Config>(Config config) {
    names.emplace_back(Config::kName);
    if (request.name != Config::kName) return;
    config::read_typed(config::typed_fields(config), request.config, request.settings,
                       [&](const config::Fail& fail) { config.check(fail); });
    found = std::move(config);
  });
  if (found) return *found;
  names.emplace_back(kAll);
  const auto near = base::nearest(request.name, names);
  throw base::UsageError("there is no experiment \"", request.name, "\"",
                         near ? base::str("; did you mean \"", *near, "\"?")
                              : "; experiments: " + base::join(names, " "));
}

// Runs it and writes its folder.
Record perform(Experiment& experiment, const TheoryRequest& request, const std::string& folder,
               int64_t threads) {
  return std::visit(
      [&]<class Config>(Config& config) {
        Record record{.name = std::string(Config::kName),
                      .title = std::string(Config::kTitle),
                      .paper = std::string(Config::kPaper),
                      .about = std::string(Config::kAbout),
                      .settings = config::dump_typed(config::typed_fields(config)),
                      .command = command_of(std::string(Config::kName), request),
                      .threads = threads,
                      .complete = true,
                      .result = {}};
        Context context(record.name);
        const double start_s = base::monotonic_seconds();
        try {
          run(config, context, record.result);
        } catch (const Interrupted&) {
          record.complete = false;
        }
        context.clear();
        write_record(record, folder);
        std::cout << claims_text(record, base::table_width(STDOUT_FILENO)) << "page     "
                  << base::join_path(folder, "index.html") << "  ("
                  << base::human_duration(base::monotonic_seconds() - start_s) << ")\n"
                  << std::flush;
        return record;
      },
      experiment);
}

bool every_claim_holds(const Record& record) {
  for (const Claim& claim : record.result.claims) {
    if (!claim.holds()) return false;
  }
  return true;
}

TheoryAnswer run_all(const TheoryRequest& request, int64_t threads) {
  if (!request.config.empty() || !request.settings.empty()) {
    throw base::UsageError(
        "--config and --set are for one experiment; `muonlab theory all` runs every experiment "
        "with its default settings");
  }
  const std::string root = request.out.empty() ? "theory" : request.out;
  for (const ExperimentInfo& info : experiments())
    accept_output_folder(base::join_path(root, info.name));
  std::vector<Record> records;
  std::vector<std::string> folders;
  bool complete = true;
  each_experiment([&]<class Config>(Config config) {
    if (!complete) return;
    Experiment experiment = std::move(config);
    folders.push_back(base::join_path(root, Config::kName));
    records.push_back(perform(experiment, request, folders.back(), threads));
    complete = records.back().complete;
  });
  write_page(root, overview_html(records));
  size_t failing = 0, count = 0;
  for (const Record& record : records) {
    for (const Claim& claim : record.result.claims) {
      ++count;
      failing += claim.holds() ? 0 : 1;
    }
  }
  std::cout << count - failing << " of " << count << " claims hold in " << records.size()
            << " experiments; page " << base::join_path(root, "index.html") << "\n";
  using enum TheoryOutcome;
  return {!complete ? interrupted : failing == 0 ? all_hold : some_fail, folders};
}

}  // namespace

std::vector<ExperimentInfo> experiments() {
  std::vector<ExperimentInfo> list;
  each_experiment([&]<class Config>(const Config&) {
    list.push_back({std::string(Config::kName), std::string(Config::kTitle),
                    std::string(Config::kPaper), std::string(Config::kAbout)});
  });
  return list;
}

std::vector<config::SettingRow> experiment_settings(const std::string& name) {
  Experiment experiment = configured({.name = name});
  return std::visit([](auto& config) { return config::typed_rows(config::typed_fields(config)); },
                    experiment);
}

TheoryAnswer run_theory(const TheoryRequest& request) {
  std::optional<Experiment> experiment;
  if (request.name != kAll) experiment = configured(request);
  const std::string folder =
      request.out.empty() ? base::join_path("theory", request.name) : request.out;
  if (experiment) accept_output_folder(folder);
  base::install_signal_handlers(
      "stopping and writing what is done; press again to leave without writing");
  const int64_t threads = base::usable_processors();
  tensor::start_runtime(threads);
  if (!experiment) return run_all(request, threads);
  const Record record = perform(*experiment, request, folder, threads);
  using enum TheoryOutcome;
  return {!record.complete            ? interrupted
          : every_claim_holds(record) ? all_hold
                                      : some_fail,
          {folder}};
}

}  // namespace muonlab::theory
