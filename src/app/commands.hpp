// Every subcommand registers itself here: parse, call, print.
#pragma once

#include <CLI/CLI.hpp>

namespace muonlab::app {

// What a subcommand leaves for main to return: 0, or 130 after an interruption that saved.
struct Exit {
  int code = 0;
};

void add_train(CLI::App& app, Exit& exit);
void add_runs(CLI::App& app, Exit& exit);
void add_eval(CLI::App& app, Exit& exit);
void add_sample(CLI::App& app, Exit& exit);
void add_ask(CLI::App& app, Exit& exit);
void add_init(CLI::App& app, Exit& exit);
void add_config(CLI::App& app, Exit& exit);
void add_data(CLI::App& app, Exit& exit);
void add_bench(CLI::App& app, Exit& exit);
void add_doctor(CLI::App& app, Exit& exit);

}  // namespace muonlab::app
