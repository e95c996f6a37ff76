// Catches what the floors below throw and turns it into exit codes:
// 0 done, 1 an error of the user's to mend, 2 a wrong configuration or command line, 70 a bug, 130 interrupted and saved.
#include <algorithm>
#include <functional>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "app/commands.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/config/error.hpp"

namespace {

constexpr const char* kAbout = R"(muonlab pretrains LLaMA-style language models from JSON files and answers which parameters of a
transformer should get which optimizer, and why.

  muonlab train configs/quickstart.json            train (or go on with) a small model on the embedded corpus
  muonlab train configs/quickstart.json --set optimizers.muon.lr=0.02 --run-dir runs/lr02
)";

// In the list of subcommands, a subcommand's first sentence; its own help shows the examples as well.
class Help : public CLI::Formatter {
 public:
  std::string make_subcommand(const CLI::App* sub) const override {
    const std::string about = sub->get_description();
    std::stringstream out;
    CLI::detail::format_help(out, sub->get_display_name(true), about.substr(0, about.find('\n')), get_column_width());
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
  app::add_eval(program, exit);
  app::add_sample(program, exit);
  app::add_ask(program, exit);
  app::add_init(program, exit);
  app::add_config(program, exit);
  app::add_data(program, exit);
  app::add_bench(program, exit);
  app::add_doctor(program, exit);
  try {
    program.parse(argc, argv);
  } catch (const CLI::RequiredError& error) {
    const std::string word = argc > 1 ? argv[1] : "";
    std::vector<std::string> names;
    for (const CLI::App* sub : program.get_subcommands(std::function<bool(CLI::App*)>{})) names.push_back(sub->get_name());
    if (word.empty() || word[0] == '-' || std::find(names.begin(), names.end(), word) != names.end()) {
      program.exit(error);
      return 2;
    }
    const auto near = base::nearest(word, names);
    std::cerr << "error: there is no command \"" << word << "\"" << (near ? "; did you mean \"" + *near + "\"?" : "")
              << " Commands: " << base::join(names, " ") << "\n";
    return 2;
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? 0 : 2;
  }
  return exit.code;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const muonlab::config::ConfigError& error) {
    std::cerr << error.what() << "\n";
    return 2;
  } catch (const muonlab::base::Error& error) {
    std::cerr << "error: " << error.what() << "\n";
    return 1;
  } catch (const std::bad_alloc&) {
    std::cerr << "error: out of memory. Lower train.micro_batch, or make the model smaller.\n";
    return 1;
  } catch (const std::exception& error) {
    std::cerr << "bug in muonlab: " << error.what() << "\n";
    return 70;
  }
}
