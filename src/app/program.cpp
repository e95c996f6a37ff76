#include "program.hpp"

#include <iostream>

#include "help.hpp"
#include "man_page.hpp"

namespace muonlab::app {
namespace {

constexpr const char* kAboutProgram =
    R"(Pretrain LLaMA-style language models and compare optimizers, from JSON files.

  muonlab train configs/quickstart.json
  muonlab sweep configs/quickstart_ablation.json --jobs 2

The first trains a small model on an embedded corpus. The second trains it with four assignments of optimizers to
parameters and compares them. `muonlab COMMAND --help` explains a command.)";

}  // namespace

std::unique_ptr<CLI::App> make_program(Exit& exit) {
  auto made = std::make_unique<CLI::App>(kAboutProgram);
  CLI::App& program = *made;
  program.name("muonlab");
  program.require_subcommand(1);
  program.formatter(std::make_shared<Help>());
  program.set_help_flag("-h,--help", "show this help");
  program.set_version_flag("--version", std::string("muonlab ") + MUONLAB_VERSION)
      ->description("show the version");
  const auto print_man_page = [&program](int64_t) {
    std::cout << man_page(program, MUONLAB_VERSION);
    throw CLI::Success();
  };
  // Without a group it is not listed: the installation uses it.
  program.add_flag_function("--man-page", print_man_page)->group("");
  add_new(program, exit);
  add_train(program, exit);
  add_lr_find(program, exit);
  add_runs(program, exit);
  add_sweep(program, exit);
  add_report(program, exit);
  add_compare(program, exit);
  add_metrics(program, exit);
  add_eval(program, exit);
  add_sample(program);
  add_logits(program, exit);
  add_export(program, exit);
  add_inspect(program, exit);
  add_ask(program, exit);
  add_tail(program, exit);
  add_spectra(program, exit);
  add_sharpness(program, exit);
  add_init(program, exit);
  add_config(program, exit);
  add_data(program, exit);
  add_theory(program, exit);
  add_bench(program, exit);
  add_doctor(program, exit);
  add_completion(program, exit);
  return made;
}

}  // namespace muonlab::app
