// Every subcommand registers itself here: parse, call, print.
#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "muonlab/base/exit_code.hpp"
#include "muonlab/config/run.hpp"

namespace muonlab::app {

// What a subcommand leaves for main to return (base/exit_code.hpp).
struct Exit {
  int code = base::exit_code::kDone;
};

// --max-time 3h: the command stops in good order then. `about` says what that is.
void add_max_time(CLI::App& command, const std::string& about);

// --device: where a checkpoint is computed with.
void add_device(CLI::App& command, config::Device& device);
// What load_model takes, for help.
inline constexpr const char* kModelHelp =
    "a run, RUN@STEP, a checkpoint's folder, or a Hugging Face folder";

// Sleeps; ends early where a signal asks the program to stop.
void wait_unless_stopped(double seconds);

// Checks of numbers on the command line, whose messages name the limit.
CLI::Validator between(double low, double high);
CLI::Validator at_least(double low);

// What to say about a command line that could not be read: one line, or the help where a subcommand
// is missing.
std::string explain_parse_error(const CLI::App& program, const CLI::ParseError& error,
                                const std::vector<std::string>& words);

void add_train(CLI::App& app, Exit& exit);
void add_runs(CLI::App& app, Exit& exit);
void add_sweep(CLI::App& app, Exit& exit);
void add_report(CLI::App& app, Exit& exit);
void add_compare(CLI::App& app, Exit& exit);
void add_metrics(CLI::App& app, Exit& exit);
void add_completion(CLI::App& app, Exit& exit);
void add_new(CLI::App& app, Exit& exit);
void add_lr_find(CLI::App& app, Exit& exit);
void add_eval(CLI::App& app, Exit& exit);
void add_sample(CLI::App& app);
void add_logits(CLI::App& app, Exit& exit);
void add_export(CLI::App& app, Exit& exit);
void add_inspect(CLI::App& app, Exit& exit);
void add_ask(CLI::App& app, Exit& exit);
void add_tail(CLI::App& app, Exit& exit);
void add_spectra(CLI::App& app, Exit& exit);
void add_sharpness(CLI::App& app, Exit& exit);
void add_init(CLI::App& app, Exit& exit);
void add_config(CLI::App& app, Exit& exit);
void add_data(CLI::App& app, Exit& exit);
void add_data_inspect(CLI::App& data);  // below `data`
void add_data_convert(CLI::App& data);
void add_data_tokenizer(CLI::App& data);
void add_theory(CLI::App& app, Exit& exit);
void add_bench(CLI::App& app, Exit& exit);
void add_doctor(CLI::App& app, Exit& exit);

}  // namespace muonlab::app
