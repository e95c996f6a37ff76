// muonlab sweep.
#include <memory>

#include "commands.hpp"
#include "installed.hpp"
#include "json_result.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/log.hpp"
#include "muonlab/base/terminal.hpp"
#include "muonlab/base/usage_error.hpp"
#include "muonlab/study/report/sweep_answer.hpp"
#include "muonlab/study/sweep/run.hpp"
#include "run_json.hpp"

namespace muonlab::app {
namespace {

// The sweep has done its work whatever becomes of its report.
void print_answer(const std::string& folder) {
  try {
    const auto width = static_cast<size_t>(base::terminal_width(1));
    if (const std::string text = study::sweep_answer_text(folder, width); !text.empty())
      base::print_line(text);
  } catch (const std::exception& error) {
    base::log_warning("the report could not be written: ", error.what(), ". `muonlab report ",
                      folder, "` tries again.");
  }
}

// The cells and, where the sweep is over, the ablation's answer as in report.json.
nlohmann::ordered_json answer_json(const study::SweepEnd& end, bool is_over) {
  nlohmann::ordered_json json = sweep_json(end.folder);
  const std::string report = base::join_path(end.folder, "report.json");
  if (!is_over || !base::real_file_system().exists(report)) return json;
  const auto numbers = nlohmann::ordered_json::parse(base::read_text(report), nullptr, false);
  if (numbers.is_object() && numbers.contains("ablation")) json["ablation"] = numbers["ablation"];
  json["report"] = report;
  return json;
}

}  // namespace

void add_sweep(CLI::App& app, Exit& exit) {
  CLI::App* command = app.add_subcommand(
      "sweep",
      R"(Run an ablation: every cell of a sweep file as a run of its own, then the table and the page.

  muonlab sweep configs/paper/tiny_gated.json --dry-run
  muonlab sweep configs/paper/tiny_gated.json --jobs 2

The same command continues an interrupted sweep: finished cells are skipped, interrupted ones resume.)");
  auto request = std::make_shared<study::SweepRequest>();
  command->add_option("FILE", request->file, "the sweep file")->required();
  command->add_option("--out", request->out, "folder of the sweep; default: runs/NAME")
      ->type_name("DIR");
  command
      ->add_option("--jobs", request->jobs,
                   "runs at once; default: processors / threads of a run; on GPUs, one for each")
      ->type_name("N")
      ->check(between(1, 1024));
  command
      ->add_option("--only", request->only,
                   "glob on the names of cells, as in 'fair-*-s1'; searches that they need run too")
      ->type_name("GLOB");
  command->add_flag("--dry-run", request->dry_run,
                    "list the cells and estimate time, memory and disk");
  command->add_flag("--redo-changed", request->redo_changed,
                    "move runs of cells whose settings changed aside and run the cells again");
  command
      ->add_option("--slurm", request->slurm,
                   "run the cells as job arrays of Slurm, with these options for sbatch, and watch "
                   "them: --slurm '--partition=gpu --time=2:00:00'; with --jobs, so many at once")
      ->type_name("OPTIONS");
  add_max_time(*command,
               "stop after this time, 3h or 90min, once the running cells have saved; the same "
               "command continues");
  auto json = std::make_shared<bool>(false);
  add_json(*command, *json);
  command->callback([request, json, &exit] {
    if (*json && request->dry_run)
      throw base::UsageError("--dry-run has no result to print; leave --json out");
    request->file = find_installed(request->file);
    const JsonResult result(*json);
    const study::SweepEnd end = study::run_sweep(*request);
    if (end.outcome == study::SweepOutcome::interrupted) exit.code = base::exit_code::kInterrupted;
    if (end.outcome == study::SweepOutcome::incomplete) exit.code = base::exit_code::kError;
    const bool is_over = end.outcome == study::SweepOutcome::finished ||
                         end.outcome == study::SweepOutcome::incomplete;
    if (is_over) print_answer(end.folder);
    if (result.wanted()) result.print(answer_json(end, is_over));
  });
}

}  // namespace muonlab::app
