// muonlab metrics: a run's numbers on the terminal, as a table for other programs, or followed.
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iostream>
#include <memory>
#include <utility>
#include <vector>

#include "commands.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/signals.hpp"
#include "muonlab/base/terminal.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/base/text_plot.hpp"
#include "muonlab/base/usage_error.hpp"
#include "muonlab/base/visible.hpp"
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

// Parts beside each other, as many as fit into a line of the width.
std::string in_lines(const std::vector<std::string>& parts, size_t width) {
  std::string text, line;
  for (const std::string& part : parts) {
    const bool fits = base::display_width(line + "  " + part) <= width;
    if (!line.empty() && !fits) text += std::exchange(line, "") + "\n";
    line += (line.empty() ? "" : "  ") + part;
  }
  return text + line + "\n";
}

std::string head(const record::RunRecord& run, size_t width) {
  const int64_t step = run.train.empty() ? 0 : run.train.back().step;
  std::vector<std::string> parts{run.path, record::state_name(run.state)};
  parts.push_back("step " + base::with_commas(step) +
                  (run.steps > 0 ? "/" + base::with_commas(run.steps) : ""));
  if (!run.train.empty()) parts.push_back("loss " + base::fixed(run.train.back().loss, 4));
  if (!run.validations.empty()) {
    parts.push_back(base::str("validation loss ", base::fixed(run.validations.back().loss, 4), " @",
                              run.validations.back().step));
  }
  if (!run.timing.empty()) {
    const double rate = run.timing.back().tokens_per_s;
    parts.push_back(base::with_commas(static_cast<int64_t>(rate)) + " tok/s");
  }
  std::string text = in_lines(parts, width);
  if (run.validations.empty()) return text;
  for (const auto& [name, set] : run.validations.back().sets) {
    text += in_lines({"validation set " + name, "loss " + base::fixed(set.loss, 4),
                      "bits per byte " + base::bits_per_byte_text(set.bits_per_byte)},
                     width);
  }
  return text;
}

// Heights of the plots, and of all three with the empty lines above them.
constexpr size_t kTall = 14, kLow = 7, kLeast = 5, kAll = kTall + 2 * kLow + 3;

// As many plots as fit into `rows` lines.
std::string plots(const record::RunRecord& run, size_t width, size_t rows = kAll) {
  const size_t others = rows >= kAll ? 2 : rows >= kTall + kLow + 2 ? 1 : 0;
  const size_t left = rows - std::min(rows, others * (kLow + 1) + 1);
  std::string out =
      "\n" + base::text_plot(width < 50 ? "loss: training dots, validation rings"
                                        : "loss by step: training (dots), validation (rings)",
                             {training_loss(run), validation_loss(run)},
                             {.width = width, .height = std::clamp(left, kLeast, kTall)});
  base::PlotSeries norms, rates;
  for (const record::TrainPoint& point : run.train)
    norms.points.emplace_back(static_cast<double>(point.step), point.grad_norm);
  for (const record::StepTiming& point : run.timing)
    rates.points.emplace_back(static_cast<double>(point.step), point.tokens_per_s);
  if (others > 0)
    out += "\n" + base::text_plot("gradient norm", {norms}, {.width = width, .height = kLow});
  if (others > 1)
    out += "\n" + base::text_plot("tokens per second", {rates}, {.width = width, .height = kLow});
  return out;
}

winsize terminal_size() {
  winsize size{};
  const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
  if (!known || size.ws_col == 0) size.ws_col = 80;
  if (!known || size.ws_row == 0) size.ws_row = 24;
  return size;
}

// Past std::cout, which would spell the control characters out.
void send_to_terminal(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    text.remove_prefix(static_cast<size_t>(written));
  }
}

// Draws over what was drawn before, line by line, so that nothing flickers. The last row of the
// terminal stays free: a line feed there would move the first one out of sight.
void redraw(const record::RunRecord& run, const winsize& size) {
  const size_t width = size.ws_col, rows = size.ws_row - std::min<size_t>(size.ws_row, 1);
  const std::string top = head(run, width);
  const auto used = static_cast<size_t>(std::count(top.begin(), top.end(), '\n'));
  std::string screen = "\x1b[H\x1b[K";
  for (const char c : base::visible(top + plots(run, width, rows - std::min(rows, used))))
    screen += c == '\n' ? std::string("\n\x1b[K") : std::string(1, c);
  send_to_terminal(screen + "\x1b[J");
}

// Shorter where the terminal is resized.
void wait_for_news(const winsize& size) {
  constexpr double kGlance_s = 0.2;
  for (double waited = 0; waited < kFollow_s && base::stop_requested() == 0; waited += kGlance_s) {
    const winsize now = terminal_size();
    if (now.ws_col != size.ws_col || now.ws_row != size.ws_row) return;
    wait_unless_stopped(kGlance_s);
  }
}

// On a terminal the plots are drawn anew; elsewhere each line of metrics.jsonl is passed on once.
void follow(const std::string& path) {
  base::install_signal_handlers("the run is no longer followed");
  const record::RunFolder folder(path);
  const bool terminal = base::is_terminal(STDOUT_FILENO);
  record::LineFollower lines(folder.metrics());
  if (terminal) send_to_terminal("\x1b[H\x1b[J");
  for (bool last = false; !last;) {
    last =
        base::stop_requested() || record::read_progress(folder).state != record::RunState::running;
    const winsize size = terminal_size();
    if (terminal) {
      redraw(record::read_run(path), size);
    } else {
      lines.poll([](const std::string& line) { std::cout << line << "\n"; });
      std::cout.flush();
    }
    if (!last) wait_for_news(size);
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
      const auto width = static_cast<size_t>(base::terminal_width(STDOUT_FILENO));
      std::cout << head(run, width) << plots(run, width);
    }
  });
}

}  // namespace muonlab::app
