// muonlab train, init.
#include <iostream>
#include <memory>

#include "commands.hpp"
#include "installed.hpp"
#include "json_result.hpp"
#include "muonlab/base/clock.hpp"
#include "muonlab/base/log.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/base/usage_error.hpp"
#include "muonlab/comm/launch.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/run/train_run.hpp"
#include "muonlab/study/sweep/estimate.hpp"
#include "run_json.hpp"

namespace muonlab::app {

namespace {

// --dry-run: the start page, then time and disk.
void describe(const run::TrainRequest& request) {
  const config::LoadedConfig loaded =
      config::load_config(find_installed(request.config_path), request.settings);
  for (const std::string& dropped : loaded.dropped) base::log_info("dropped  ", dropped);
  std::cout << run::describe_run(loaded.run) << "\n" << std::flush;
  const config::RunConfig run = study::DataSizes().complete(loaded.run);
  if (run.train.seconds) {
    std::cout << "time     " << base::human_duration(*run.train.seconds)
              << " of training (train.seconds), validations and saves beside\n";
  } else if (const double flops = study::run_flops(run); flops > 0) {
    const study::Rate rate = study::measure_rate(run);
    std::cout << "time     about " << base::human_duration(flops / rate.flops_per_s)
              << " on this machine (" << rate.source << ")\n";
  }
  const study::DiskUse disk = study::run_disk(run);
  std::cout << "disk     about " << base::human_bytes(disk.running) << " while it trains, "
            << base::human_bytes(disk.finished) << " when it is finished\n"
            << "Nothing was started (--dry-run).\n";
}

}  // namespace

void add_train(CLI::App& app, Exit& exit) {
  CLI::App* command = app.add_subcommand(
      "train",
      R"(Train a model; the same command resumes an interrupted run from its newest good checkpoint.

  muonlab train configs/quickstart.json
  muonlab train configs/quickstart.json --set train.steps=600 --run-dir runs/longer)");
  auto request = std::make_shared<run::TrainRequest>();
  command->add_option("CONFIG", request->config_path, "the configuration file");
  command
      ->add_option("--set", request->settings, "override one setting of the file; may be repeated")
      ->type_name("PATH=VALUE")
      ->allow_extra_args(false);
  command->add_option("--run-dir", request->run_dir, "folder of the run; default: runs/NAME")
      ->type_name("DIR")
      ->group("Run");
  command
      ->add_option("--resume", request->resume, "resume this run, without its configuration file")
      ->type_name("RUN")
      ->group("Run");
  command
      ->add_option("--from", request->from,
                   "start a new run from a checkpoint of another: a run, RUN@STEP or a folder")
      ->type_name("CHECKPOINT")
      ->group("Run");
  command
      ->add_flag("--allow-change", request->allow_change,
                 "resume although a setting that changes the training differs, such as a learning "
                 "rate; history.jsonl records what changed")
      ->group("Run");
  auto processes = std::make_shared<int>(0);
  command
      ->add_option("--processes", *processes,
                   "processes that share the work on this machine; the results are the same with "
                   "any number. Default: what torchrun, mpirun or srun started, otherwise 1")
      ->type_name("N")
      ->check(between(1, 1024))
      ->group("Processes");
  command
      ->add_option_function<std::string>(
          "--patience",
          [request](const std::string& text) {
            const std::optional<double> seconds = base::parse_duration(text);
            if (!seconds || *seconds < 2)
              throw base::UsageError(
                  "--patience ", text,
                  ": write a length of time of at least 2s, such as 60s or 5min");
            request->patience_s = *seconds;
          },
          "a process that does not answer for this time stops the others; default: 60s")
      ->type_name("TIME")
      ->group("Processes");
  add_max_time(*command,
               "stop after this time, 3h or 90min, and save; the same command resumes. Leave time "
               "for the last step and the save");
  auto dry_run = std::make_shared<bool>(false);
  command
      ->add_flag("--dry-run", *dry_run,
                 "show model, plan, memory, time and assignment of a new run, and start nothing; "
                 "the data need not be there")
      ->group("Run");
  auto json = std::make_shared<bool>(false);
  add_json(*command, *json);
  command->callback([request, processes, dry_run, json, &exit] {
    if (request->config_path.empty() == request->resume.empty()) {
      throw base::UsageError(
          "train takes a configuration file or --resume RUN; see `muonlab train --help`");
    }
    if (!request->resume.empty() && (!request->run_dir.empty() || !request->from.empty())) {
      throw base::UsageError(
          "--resume RUN names the run and its start by itself; leave --run-dir and --from out");
    }
    if (*dry_run) {
      if (request->config_path.empty() || !request->from.empty() || *processes > 0 || *json)
        throw base::UsageError(
            "--dry-run describes a new run of one process in text; leave --resume, --from, "
            "--processes and --json out");
      return describe(*request);
    }
    if (*processes != 1) request->identity = comm::identity_from_environment();
    const int started = request->identity.size;
    if (*processes > 1 && started == 1) {
      exit.code = comm::launch(comm::own_command(), *processes, request->patience_s);
      return;
    }
    if (*processes > 1 && *processes != started) {
      throw base::UsageError("--processes ", *processes, ": a launcher has started ", started,
                             " processes; leave --processes out");
    }
    request->config_path = find_installed(request->config_path);
    const JsonResult result(*json);
    const run::TrainResult trained = run::train_run(*request);
    if (trained.outcome == train::Outcome::interrupted) exit.code = base::exit_code::kInterrupted;
    // Of several processes the first one answers.
    if (result.wanted() && !trained.folder.empty()) result.print(run_json(trained.folder));
  });
}

void add_init(CLI::App& app, Exit&) {
  CLI::App* command = app.add_subcommand(
      "init", R"(Write the checkpoint of step 0: the initial weights of a configuration.

  muonlab init configs/quickstart.json step0
  muonlab init configs/quickstart.json seed2 --set seed=2)");
  auto request = std::make_shared<run::TrainRequest>();
  command->add_option("CONFIG", request->config_path, "the configuration file")->required();
  command->add_option("DIR", request->run_dir, "the folder to make")->required();
  command
      ->add_option("--set", request->settings, "override one setting of the file; may be repeated")
      ->type_name("PATH=VALUE")
      ->allow_extra_args(false);
  command->callback([request] {
    run::write_initial_checkpoint(find_installed(request->config_path), request->settings,
                                  request->run_dir);
  });
}

}  // namespace muonlab::app
