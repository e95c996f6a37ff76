// muonlab compare: runs side by side.
#include <unistd.h>

#include <iostream>
#include <memory>

#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "json_result.hpp"
#include "muonlab/base/terminal.hpp"
#include "muonlab/base/text_table.hpp"
#include "muonlab/study/report/compare.hpp"

namespace muonlab::app {

void add_compare(CLI::App& app, Exit&) {
  CLI::App* command = app.add_subcommand(
      "compare",
      R"(Compare runs: settings that differ, where losses first differ, speed, steps to a loss, curves.

  muonlab compare runs/adam runs/vo_ffn
  muonlab compare runs/adam runs/vo_ffn --loss 4.5)");
  struct Options {
    std::vector<std::string> runs;
    std::optional<double> loss;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  command->add_option("RUN", options->runs, "folders of two or more runs")
      ->required()
      ->expected(2, 1000);
  command
      ->add_option("--loss", options->loss,
                   "validation loss to reach; default: the worst of the runs' best")
      ->type_name("LOSS");
  add_json(*command, options->json);
  command->callback([options] {
    const JsonResult result(options->json);
    std::vector<record::RunRecord> runs;
    for (const std::string& path : options->runs) runs.push_back(record::read_run(path));
    const study::Comparison comparison = study::compare_runs(std::move(runs), options->loss);
    if (result.wanted()) {
      result.print(study::comparison_json(comparison));
    } else {
      std::cout << study::comparison_text(comparison, base::table_width(STDOUT_FILENO),
                                          base::colour_allowed(STDOUT_FILENO));
    }
  });
}

}  // namespace muonlab::app
