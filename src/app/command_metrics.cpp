// muonlab metrics: a run's numbers on the terminal, as a table for other programs, or followed.
#include <unistd.h>

#include <iostream>
#include <memory>

#include "commands.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/signals.hpp"
#include "muonlab/base/terminal.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/base/text_plot.hpp"
#include "muonlab/base/usage_error.hpp"
#include "muonlab/record/line_follower.hpp"
#include "muonlab/record/metrics_csv.hpp"
#include "muonlab/record/run_record.hpp"
#include "muonlab/record/tensorboard.hpp"

namespace muonlab::app {
namespace {

constexpr double kFollow_s = 2;  // between two looks at the run

struct MetricsOptions {
  std::string run, of = "metrics";
  bool follow = false, csv = false, tensorboard = false;
};

base::PlotSeries training_loss(const record::RunRecord& run) {
  base::PlotSeries series;
  for (const record::TrainPoint& point : run.train)
    series.points.emplace_back(static_cast<double>(point.step), point.loss);
  return series;
}

base::PlotSeries validation_loss(const record::RunRecord& run) {
  base::PlotSeries series{.points = {}, .marks = true};
  for (const record::Validation& point : run.validations)
    series.points.emplace_back(static_cast<double>(point.step), point.loss);
  return series;
}

std::string head(const record::RunRecord& run) {
  const int64_t step = run.train.empty() ? 0 : run.train.back().step;
  std::string text =
      base::str(run.path, "  ", record::state_name(run.state), "  step ", base::with_commas(step));
  if (run.steps > 0) text += "/" + base::with_commas(run.steps);
  if (!run.train.empty()) text += "  loss " + base::fixed(run.train.back().loss, 4);
  if (!run.validations.empty()) {
    text += base::str("  validation loss ", base::fixed(run.validations.back().loss, 4), " @",
                      run.validations.back().step);
  }
  if (!run.timing.empty()) {
    const double rate = run.timing.back().tokens_per_s;
    text += base::str("  ", base::with_commas(static_cast<int64_t>(rate)), " tok/s");
  }
  return text + "\n";
}

std::string plots(const record::RunRecord& run, size_t width) {
  constexpr size_t kTall = 14, kLow = 7;
  std::string out = "\n" + base::text_plot("loss by step: training (dots), validation (rings)",
                                           {training_loss(run), validation_loss(run)},
                                           {.width = width, .height = kTall});
  base::PlotSeries norms, rates;
  for (const record::TrainPoint& point : run.train)
    norms.points.emplace_back(static_cast<double>(point.step), point.grad_norm);
  for (const record::StepTiming& point : run.timing)
    rates.points.emplace_back(static_cast<double>(point.step), point.tokens_per_s);
  out += "\n" + base::text_plot("gradient norm", {norms}, {.width = width, .height = kLow});
  return out + "\n" +
         base::text_plot("tokens per second", {rates}, {.width = width, .height = kLow});
}

// On a terminal the plots are drawn anew; elsewhere each line of metrics.jsonl is passed on once.
void follow(const std::string& path) {
  base::install_signal_handlers("the run is no longer followed");
  const record::RunFolder folder(path);
  const bool terminal = base::is_terminal(STDOUT_FILENO);
  record::LineFollower lines(folder.metrics());
  for (bool last = false; !last;) {
    last =
        base::stop_requested() || record::read_progress(folder).state != record::RunState::running;
    if (terminal) {
      const record::RunRecord run = record::read_run(path);
      const auto width = static_cast<size_t>(base::terminal_width(STDOUT_FILENO));
      // to the upper left corner, and nothing below it
      std::cout << "\x1b[H\x1b[J" << head(run) << plots(run, width) << std::flush;
    } else {
      lines.poll([](const std::string& line) { std::cout << line << "\n"; });
      std::cout.flush();
    }
    if (!last) wait_unless_stopped(kFollow_s);
  }
}

// The event file of a run that did not ask for one while it trained.
void write_events(const std::string& path) {
  const record::RunFolder folder(path);
  const record::RunRecord run = record::read_run(path);
  if (run.state == record::RunState::running)
    throw base::Error(path, ": is running; set log.tensorboard when it resumes");
  if (run.train.empty() && run.validations.empty())
    throw base::Error(path, ": records no steps yet");
  std::vector<std::string> sources;
  for (const char* name : {"metrics", "timing", "spectra", "tail", "sharpness"})
    if (base::real_file_system().exists(folder.probe(name))) sources.emplace_back(name);
  const int64_t last = std::max(run.train.empty() ? 0 : run.train.back().step,
                                run.validations.empty() ? 0 : run.validations.back().step);
  record::TensorBoardLog(folder, sources, last).sync();
  std::cout << folder.events() << "\n";
}

}  // namespace

void add_metrics(CLI::App& app, Exit&) {
  CLI::App* command = app.add_subcommand(
      "metrics", R"(Plot a run's losses on the terminal, follow it, or print its numbers as CSV.

  muonlab metrics runs/quickstart --follow
  muonlab metrics runs/quickstart --csv > quickstart.csv
  muonlab metrics runs/quickstart --csv --of spectra > spectra.csv

With --follow on a pipe, the lines of metrics.jsonl are printed as they come.)");
  auto options = std::make_shared<MetricsOptions>();
  command->add_option("RUN", options->run, "a run's folder")->required();
  command->add_flag("--follow", options->follow, "until the run ends or Ctrl-C");
  command->add_flag("--csv", options->csv, "print comma-separated values, a row a step");
  command
      ->add_option("--of", options->of,
                   "with --csv: metrics, timing, spectra, tail or sharpness, as far as recorded")
      ->type_name("FILE")
      ->capture_default_str();
  command->add_flag(
      "--tensorboard", options->tensorboard,
      "write the event file for TensorBoard that log.tensorboard writes during a run");
  command->callback([options] {
    if (options->follow + options->csv + options->tensorboard > 1)
      throw base::UsageError("--follow, --csv and --tensorboard exclude each other");
    if (options->of != "metrics" && !options->csv)
      throw base::UsageError("--of chooses what --csv prints; add --csv");
    const record::RunRecord run = record::read_run(options->run);
    if (options->csv) {
      std::cout << record::metrics_csv(record::RunFolder(options->run), options->of);
    } else if (options->tensorboard) {
      write_events(options->run);
    } else if (options->follow) {
      follow(options->run);
    } else {
      std::cout << head(run)
                << plots(run, static_cast<size_t>(base::terminal_width(STDOUT_FILENO)));
    }
  });
}

}  // namespace muonlab::app
