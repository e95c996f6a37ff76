// Catches what the floors below throw and turns it into exit codes (base/exit_code.hpp).
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "app/commands.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/usage_error.hpp"
#include "muonlab/config/error.hpp"
#include "muonlab/train/non_finite.hpp"

namespace {

constexpr const char* kAbout =
    R"(muonlab pretrains LLaMA-style language models from JSON files and answers which parameters of a
transformer should get which optimizer, and why.

  muonlab train configs/quickstart.json            train (or go on with) a small model on the embedded corpus
  muonlab train configs/quickstart.json --set optimizers.muon.lr=0.02 --run-dir runs/lr02
)";

constexpr const char* kOutOfMemory =
    "error: out of memory. Lower train.micro_batch, or make the model smaller.\n";

// In the list of subcommands, a subcommand's first sentence; its own help shows the examples as
// well.
class Help : public CLI::Formatter {
 public:
  std::string make_subcommand(const CLI::App* sub) const override {
    const std::string about = sub->get_description();
    std::stringstream out;
    CLI::detail::format_help(out, sub->get_display_name(true), about.substr(0, about.find('\n')),
                             get_column_width());
    return out.str();
  }
};

int run(int argc, char** argv) {
  using namespace muonlab;
  CLI::App program{kAbout};
  program.name("muonlab");
  program.require_subcommand(1);
  program.formatter(std::make_shared<Help>());
  program.set_version_flag("--version", std::string("muonlab ") + MUONLAB_VERSION);
  app::Exit exit;
  app::add_train(program, exit);
  app::add_runs(program, exit);
  app::add_sweep(program, exit);
  app::add_report(program, exit);
  app::add_compare(program, exit);
  app::add_eval(program, exit);
  app::add_sample(program, exit);
  app::add_ask(program, exit);
  app::add_tail(program, exit);
  app::add_spectra(program, exit);
  app::add_init(program, exit);
  app::add_config(program, exit);
  app::add_data(program, exit);
  app::add_bench(program, exit);
  app::add_doctor(program, exit);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // the help or the version was asked for
    if (error.get_exit_code() == 0) return program.exit(error);
    std::cerr << app::explain_parse_error(program, error, {argv + 1, argv + argc});
    return base::exit_code::kWrongInput;
  }
  return exit.code;
}

}  // namespace

int main(int argc, char** argv) {
  namespace exit_code = muonlab::base::exit_code;
  try {
    return run(argc, argv);
  } catch (const muonlab::config::ConfigError& error) {
    std::cerr << error.what() << "\n";
    return exit_code::kWrongInput;
  } catch (const muonlab::train::NonFinite& error) {
    std::cerr << "error: " << error.what() << "\n";
    return exit_code::kNotFinite;
  } catch (const muonlab::base::UsageError& error) {
    std::cerr << "error: " << error.what() << "\n";
    return exit_code::kWrongInput;
  } catch (const muonlab::base::Error& error) {
    std::cerr << "error: " << error.what() << "\n";
    return exit_code::kError;
  } catch (const std::bad_alloc&) {
    std::cerr << kOutOfMemory;
    return exit_code::kError;
  } catch (const std::exception& error) {
    // LibTorch's allocator has no exception of its own for this.
    if (std::string(error.what()).find("can't allocate memory") != std::string::npos) {
      std::cerr << kOutOfMemory;
      return exit_code::kError;
    }
    std::cerr << "bug in muonlab: " << error.what() << "\n";
    return exit_code::kBug;
  }
}
