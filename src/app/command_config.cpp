// muonlab config: check, show, compare and explain configurations.
#include <algorithm>
#include <iostream>
#include <memory>

#include "commands.hpp"
#include "installed.hpp"
#include "json_result.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/base/text_table.hpp"
#include "muonlab/config/batch_sizes.hpp"
#include "muonlab/config/error.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/config/model_hf.hpp"
#include "muonlab/config/sweep.hpp"
#include "muonlab/study/sweep/data_fit.hpp"
#include "muonlab/study/sweep/plan.hpp"

namespace muonlab::app {
namespace {

struct ConfigOptions {
  std::vector<std::string> files, settings;
  std::string path;
  bool markdown = false, json = false;
};

std::string length_text(const config::RunConfig& run) {
  const int64_t tokens_per_step = run.train.batch * run.model.context;
  const config::BatchSizes batches(run);
  const std::string step =
      batches.grow() ? base::str(batches.text(), " samples of ", run.model.context, " tokens")
                     : base::with_commas(tokens_per_step) + " tokens";
  if (run.train.steps) return base::str(base::with_commas(*run.train.steps), " steps of ", step);
  if (run.train.seconds) return base::human_duration(*run.train.seconds) + " in steps of " + step;
  const std::string length =
      run.train.tokens ? base::human_count(static_cast<double>(*run.train.tokens)) + " tokens"
                       : base::significant(*run.train.epochs, 6) +
                             (run.train.epochs == 1.0 ? " epoch" : " epochs");
  return length + " in steps of " + step;
}

std::string parameters_text(config::ModelConfig model) {
  const bool known = model.vocabulary.has_value();
  if (!known) model.vocabulary = 0;
  int64_t count = 0;
  for (const config::ParameterSpec& p : config::parameter_specs(model)) count += p.count();
  return base::human_count(static_cast<double>(count)) + " parameters" +
         (known ? "" : " besides the vocabulary's");
}

// Optimizers in the order in which assign names them: "muon, adam (adamw)".
std::string optimizers_text(const config::RunConfig& run) {
  std::vector<std::string> texts;
  for (const config::AssignConfig& line : run.assign) {
    const std::string rule = std::visit([](const auto& r) { return std::string(r.kName); },
                                        run.optimizers.at(line.optimizer));
    const std::string text = line.optimizer == rule ? rule : line.optimizer + " (" + rule + ")";
    if (std::find(texts.begin(), texts.end(), text) == texts.end()) texts.push_back(text);
  }
  return base::join(texts, ", ");
}

void print_dropped(const config::LoadedConfig& loaded) {
  for (const std::string& line : loaded.dropped) std::cerr << "dropped  " << line << "\n";
}

std::string run_text(const config::LoadedConfig& loaded) {
  return base::str(parameters_text(loaded.run.model), ", ", length_text(loaded.run), ", ",
                   optimizers_text(loaded.run));
}

// Checks the configurations of one file against their data where these are there and open quickly.
class DataCheck {
 public:
  explicit DataCheck(const std::string& file) : file_(file) {}

  void check(const config::RunConfig& run, const std::string& place) {
    const std::string reason = study::DataFit::is_quick(run)
                                   ? fit_.check(run, file_, place)
                                   : "writing the texts about so many people takes a while";
    if (reason_.empty()) reason_ = reason;
  }

  void print_note() const {
    if (reason_.empty()) return;
    std::cout << "note     what depends on the data (train.epochs, probes.tail) is checked when "
                 "the run starts: "
              << reason_ << "\n";
  }

 private:
  std::string file_, reason_;
  study::DataFit fit_;
};

// Every cell is loaded, with the middle of a grid where a search decides.
std::string check_sweep(const std::string& file, DataCheck& data) {
  study::SweepPlanner planner(config::load_sweep(file));
  const study::SweepPlan plan =
      planner.outline([](const auto&) { return std::optional<double>(); });
  for (const study::Cell& cell : plan.cells) data.check(cell.config, "cell " + cell.name);
  const size_t cells = plan.cells.size();
  return base::str("a sweep of ", base::with_commas(static_cast<int64_t>(cells)),
                   cells == 1 ? " run" : " runs", "; `muonlab sweep ", file,
                   " --dry-run` shows them");
}

void check_file(const std::string& name, size_t width, const std::vector<std::string>& settings) {
  const std::string file = find_installed(name);
  DataCheck data(file);
  const auto say_ok = [&](const std::string& text) {
    std::cout << base::pad_right(name, width) << "  ok  " << text << "\n";
  };
  if (config::is_sweep(file)) {
    if (!settings.empty()) {
      throw config::ConfigError(
          {{file, "", "--set changes the configuration of one run; this is a sweep"}});
    }
    say_ok(check_sweep(file, data));
    return data.print_note();
  }
  const config::LoadedConfig loaded = config::load_config(file, settings);
  data.check(loaded.run, "");
  say_ok(run_text(loaded));
  data.print_note();
  print_dropped(loaded);
  const std::string gap = config::hugging_face_gap(loaded.run.model);
  if (!gap.empty())
    std::cout << "note     transformers will not load its checkpoints: " << gap << "\n";
}

nlohmann::ordered_json problems_json(const config::ConfigError& error) {
  auto problems = nlohmann::ordered_json::array();
  for (const config::Problem& problem : error.problems())
    problems.push_back(
        {{"where", problem.where}, {"setting", problem.path}, {"message", problem.text}});
  return problems;
}

// One line a file; a wrong file does not hide what is wrong with the next.
void check(const ConfigOptions& options, Exit& exit) {
  const JsonResult result(options.json);
  auto files = nlohmann::ordered_json::array();
  size_t width = 0;
  for (const std::string& file : options.files) width = std::max(width, base::display_width(file));
  for (const std::string& file : options.files) {
    files.push_back({{"file", file}, {"ok", true}, {"problems", nlohmann::ordered_json::array()}});
    try {
      check_file(file, width, options.settings);
    } catch (const config::ConfigError& error) {
      files.back()["ok"] = false;
      files.back()["problems"] = problems_json(error);
      std::cerr << error.what() << "\n";
      exit.code = base::exit_code::kWrongInput;
    }
  }
  if (result.wanted())
    result.print({{"ok", exit.code == base::exit_code::kDone}, {"files", std::move(files)}});
}

void show(const ConfigOptions& options) {
  const config::LoadedConfig loaded =
      config::load_config(find_installed(options.files.front()), options.settings);
  std::cout << config::dump_config(loaded.run);
  print_dropped(loaded);
}

void diff(const ConfigOptions& options, Exit& exit) {
  const config::RunConfig before =
      config::load_config(find_installed(options.files[0]), options.settings).run;
  const config::RunConfig after =
      config::load_config(find_installed(options.files[1]), options.settings).run;
  const std::vector<config::Difference> differences = config::diff_configs(before, after);
  base::TextTable table({{""}, {""}});
  for (const config::Difference& d : differences) {
    table.add_row({d.path, base::str(d.before.empty() ? "-" : d.before, " -> ",
                                     d.after.empty() ? "-" : d.after)});
  }
  std::cout << table.text(base::table_width());
  if (differences.empty()) std::cout << "the two are the same run\n";
  exit.code = differences.empty() ? base::exit_code::kDone : base::exit_code::kError;
}

void explain(const ConfigOptions& options) {
  if (options.markdown) {
    std::cout << config::config_markdown();
    return;
  }
  base::TextTable table({{""}, {"", base::TextColumn::Kind::prose}});
  for (const config::SettingRow& row : config::explain_setting(options.path)) {
    std::string meaning = row.help + " [" + row.type;
    if (!row.default_value.empty()) meaning += "; default " + row.default_value;
    table.add_row({row.path, meaning + "]"});
  }
  std::cout << table.text(base::table_width());
}

CLI::App* add_command(CLI::App& parent, const char* name, const char* description) {
  return parent.add_subcommand(name, description);
}

void add_settings(CLI::App& command, ConfigOptions& options) {
  command
      .add_option("--set", options.settings, "override one setting of the file; may be repeated")
      ->type_name("PATH=VALUE")
      ->allow_extra_args(false);
}

}  // namespace

void add_config(CLI::App& app, Exit& exit) {
  const auto options = std::make_shared<ConfigOptions>();
  CLI::App* config = add_command(app, "config", R"(Check, show, compare and explain configurations.

  muonlab config check configs/quickstart.json
  muonlab config explain optimizers.muon)");
  config->require_subcommand(1);

  CLI::App* check_command = add_command(
      *config, "check",
      R"(Check configuration files without starting anything; exit code 2 if one is wrong.

  muonlab config check configs/*.json
  muonlab config check configs/quickstart.json --set train.batch=64)");
  check_command->add_option("FILE", options->files, "configuration files")->required();
  add_settings(*check_command, *options);
  add_json(*check_command, options->json);
  check_command->callback([options, &exit] { check(*options, exit); });

  CLI::App* show_command =
      add_command(*config, "show",
                  R"(Print a configuration as resolved: with what it extends and all defaults.

  muonlab config show configs/quickstart.json
  muonlab config show configs/classics/vo_ffn.json --set model.size=14m)");
  show_command->add_option("FILE", options->files, "configuration file")->required()->expected(1);
  add_settings(*show_command, *options);
  show_command->callback([options] { show(*options); });

  CLI::App* diff_command =
      add_command(*config, "diff",
                  R"(Compare two configurations as resolved; exit code 1 if they differ.

  muonlab config diff configs/classics/adam.json configs/classics/vo_ffn.json
  muonlab config diff configs/quickstart.json runs/quickstart/resolved.json)");
  diff_command->add_option("FILES", options->files, "two configuration files")
      ->required()
      ->expected(2);
  add_settings(*diff_command, *options);
  diff_command->callback([options, &exit] { diff(*options, exit); });

  CLI::App* schema_command =
      add_command(*config, "schema",
                  R"(Print the JSON Schema of configuration files, for an editor.

  muonlab config schema
  muonlab config schema > muonlab.schema.json)");
  schema_command->callback([] { std::cout << config::config_schema(); });

  CLI::App* explain_command = add_command(
      *config, "explain",
      R"(List settings with type, default and meaning: all, or those at and below a path.

  muonlab config explain train
  muonlab config explain optimizers.muon.steps)");
  explain_command->add_option("PATH", options->path, "a setting, or a section");
  explain_command->add_flag("--markdown", options->markdown,
                            "print the whole reference as a Markdown table");
  explain_command->callback([options] { explain(*options); });
}

}  // namespace muonlab::app
