// muonlab theory: the papers' small exact models.
#include <unistd.h>

#include <iostream>
#include <memory>

#include "commands.hpp"
#include "installed.hpp"
#include "json_result.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/terminal.hpp"
#include "muonlab/base/text_table.hpp"
#include "muonlab/base/usage_error.hpp"
#include "muonlab/record/json_lines.hpp"
#include "muonlab/theory/run.hpp"

namespace muonlab::app {
namespace {

using Kind = base::TextColumn::Kind;

void list_experiments() {
  base::TextTable table({{"experiment"}, {"paper"}, {"what it computes", Kind::prose}});
  for (const theory::ExperimentInfo& info : theory::experiments())
    table.add_row({info.name, info.paper, info.about});
  std::cout << table.text(base::table_width(STDOUT_FILENO))
            << "\n`muonlab theory NAME` runs one of them, `muonlab theory all` runs all. "
               "`muonlab theory NAME --explain` lists its settings.\n";
}

void explain(const std::string& name) {
  base::TextTable table({{"setting"}, {"type"}, {"default"}, {"meaning", Kind::prose}});
  for (const config::SettingRow& row : theory::experiment_settings(name))
    table.add_row({row.path, row.type, row.default_value, row.help});
  std::cout << table.text(base::table_width(STDOUT_FILENO));
}

int exit_code_of(theory::TheoryOutcome outcome) {
  switch (outcome) {
    case theory::TheoryOutcome::all_hold: return base::exit_code::kDone;
    case theory::TheoryOutcome::some_fail: return base::exit_code::kClaimFails;
    case theory::TheoryOutcome::interrupted: return base::exit_code::kInterrupted;
  }
  return base::exit_code::kBug;
}

nlohmann::ordered_json experiments_json() {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const theory::ExperimentInfo& info : theory::experiments())
    list.push_back({{"name", info.name}, {"paper", info.paper}, {"about", info.about}});
  return {{"experiments", list}};
}

nlohmann::ordered_json settings_json(const std::string& name) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const config::SettingRow& row : theory::experiment_settings(name)) {
    list.push_back({{"name", row.path},
                    {"type", row.type},
                    {"default", row.default_value},
                    {"help", row.help}});
  }
  return {{"experiment", name}, {"settings", list}};
}

// What the experiments have written, without the curves.
nlohmann::ordered_json answer_json(const theory::TheoryAnswer& answer) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  size_t holding = 0, count = 0;
  for (const std::string& folder : answer.folders) {
    const auto record =
        nlohmann::ordered_json::parse(base::read_text(base::join_path(folder, "result.json")));
    nlohmann::ordered_json& entry = list.emplace_back();
    entry["path"] = folder;
    for (const char* key : {"experiment", "complete", "settings", "claims"})
      entry[key] = record.at(key);
    for (const auto& claim : record.at("claims")) holding += claim.at("holds") == true;
    count += record.at("claims").size();
  }
  return {{"claims", count}, {"hold", holding}, {"experiments", list}};
}

}  // namespace

void add_theory(CLI::App& app, Exit& exit) {
  CLI::App* command = app.add_subcommand(
      "theory",
      R"(Compute the papers' small exact models and check the papers' claims against the figures.

  muonlab theory
  muonlab theory memory
  muonlab theory memory --set facts=300 --set head_facts=60 --out theory/small

The first lists the experiments. The second runs one: it prints every claim with what was measured, what is accepted
and the verdict, and writes a page of plots and every curve as numbers. If a claim does not hold, the exit code is 5.)");
  struct Options {
    theory::TheoryRequest request;
    bool explain = false, json = false;
  };
  auto options = std::make_shared<Options>();
  theory::TheoryRequest& request = options->request;
  command->add_option("NAME", request.name, "an experiment, or all; without it they are listed");
  command
      ->add_option("--config", request.config,
                   "a JSON file with settings, as in configs/theory; default: the paper's settings")
      ->type_name("FILE");
  command->add_option("--set", request.settings, "change one setting; may be repeated")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  command
      ->add_option("--out", request.out,
                   "folder of the results; default: theory/NAME, for all experiments theory")
      ->type_name("DIR");
  command->add_flag("--explain", options->explain, "list the experiment's settings and stop");
  add_json(*command, options->json);
  command->callback([options, &exit] {
    const JsonResult result(options->json);
    theory::TheoryRequest& asked = options->request;
    if (asked.name.empty()) {
      if (!asked.config.empty() || !asked.settings.empty() || !asked.out.empty())
        throw base::UsageError("an experiment is missing; `muonlab theory` lists them");
      return result.wanted() ? result.print(experiments_json()) : list_experiments();
    }
    if (options->explain)
      return result.wanted() ? result.print(settings_json(asked.name)) : explain(asked.name);
    asked.config = find_installed(asked.config);
    const theory::TheoryAnswer answer = theory::run_theory(asked);
    if (result.wanted()) result.print(answer_json(answer));
    exit.code = exit_code_of(answer.outcome);
  });
}

}  // namespace muonlab::app
