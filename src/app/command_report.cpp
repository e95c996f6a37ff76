// The page and the numbers of runs and sweeps.
#include <iostream>

#include "app/commands.hpp"
#include "app/json_result.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/signals.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/study/report/page.hpp"

namespace muonlab::app {
namespace {

constexpr double kWatch_s = 4;  // between two pages while the runs go on

struct ReportArguments {
  std::vector<std::string> paths;
  std::string out;
  bool watch = false, json = false;
};

void report(const ReportArguments& arguments) {
  const JsonResult result(arguments.json);
  const std::string folder =
      arguments.out.empty() ? study::default_report_folder(arguments.paths) : arguments.out;
  study::ReportData data = study::collect_report(arguments.paths);
  if (arguments.watch) {
    base::install_signal_handlers("writing the page a last time");
    std::cout << "watching; open " << folder
              << "/report.html. Ctrl-C ends the watching, not the runs.\n"
              << std::flush;
    while (!data.complete && !base::stop_requested()) {
      if (data.begun) study::write_report(data, folder, kWatch_s);
      wait_unless_stopped(kWatch_s);
      data = study::collect_report(arguments.paths);
    }
  }
  // The last one does not reload itself.
  const study::ReportFiles files = study::write_report(data, folder);
  std::cout << "page     " << files.page << "\nnumbers  " << files.numbers << "\n";
  if (result.wanted()) result.print({{"page", files.page}, {"numbers", files.numbers}});
}

}  // namespace

void add_report(CLI::App& app, Exit&) {
  CLI::App* command = app.add_subcommand(
      "report", R"(Write a page of plots and tables of a run, a sweep or several, and its numbers.

  muonlab report runs/vo_ffn
  muonlab report runs/tiny_gated --watch

The first writes runs/vo_ffn/report.html and report.json. The second rewrites the page every few seconds while the
sweep runs.)");
  auto arguments = std::make_shared<ReportArguments>();
  command->add_option("PATH", arguments->paths, "runs, sweeps, or folders of them")->required();
  command
      ->add_option("--out", arguments->out,
                   "folder for report.html and report.json; default: the run's or sweep's own, "
                   "for several ./report")
      ->type_name("DIR");
  command->add_flag(
      "--watch", arguments->watch,
      "rewrite the page every few seconds until all runs are finished; it reloads itself");
  add_json(*command, arguments->json);
  command->callback([arguments] { report(*arguments); });
}

}  // namespace muonlab::app
