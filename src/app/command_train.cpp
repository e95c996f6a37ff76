// muonlab train, init.
#include <iostream>
#include <memory>

#include "commands.hpp"
#include "muonlab/base/usage_error.hpp"
#include "muonlab/run/train_run.hpp"

namespace muonlab::app {
void add_train(CLI::App& app, Exit& exit) {
  CLI::App* command = app.add_subcommand(
      "train",
      R"(Train a model. Typed again, the same command goes on from the newest good checkpoint.

  muonlab train configs/quickstart.json
  muonlab train configs/quickstart.json --set train.steps=600 --run-dir runs/longer)");
  auto request = std::make_shared<run::TrainRequest>();
  command->add_option("CONFIG", request->config_path, "configuration file");
  command->add_option("--set", request->settings, "path=value, over the file; may be repeated")
      ->allow_extra_args(false);
  command->add_option("--run-dir", request->run_dir, "folder of the run; default: runs/NAME");
  command->add_option("--resume", request->resume,
                      "go on with this run, without its configuration file");
  command->add_option("--from", request->from,
                      "branch: start from RUN@STEP, a run or a checkpoint");
  command->add_flag("--allow-change", request->allow_change,
                    "resume although a setting that changes the training differs (a learning rate, "
                    "say); history.jsonl keeps what changed");
  command->callback([request, &exit] {
    if (request->config_path.empty() == request->resume.empty()) {
      throw base::UsageError(
          "train takes a configuration file or --resume RUN; see `muonlab train --help`");
    }
    if (run::train_run(*request) == train::Outcome::interrupted) {
      exit.code = base::exit_code::kInterrupted;
    }
  });
}

void add_init(CLI::App& app, Exit&) {
  CLI::App* command = app.add_subcommand("init", R"(Write the step-0 checkpoint of a configuration.

  muonlab init configs/quickstart.json step0)");
  auto request = std::make_shared<run::TrainRequest>();
  command->add_option("CONFIG", request->config_path, "configuration file")->required();
  command->add_option("DIR", request->run_dir, "folder to make")->required();
  command->add_option("--set", request->settings, "path=value, over the file; may be repeated")
      ->allow_extra_args(false);
  command->callback([request] {
    run::write_initial_checkpoint(request->config_path, request->settings, request->run_dir);
  });
}

}  // namespace muonlab::app
