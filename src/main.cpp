// Catches what the floors below throw and turns it into exit codes (base/exit_code.hpp).
#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include "app/program.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/lock.hpp"
#include "muonlab/base/non_finite.hpp"
#include "muonlab/base/terminal.hpp"
#include "muonlab/base/usage_error.hpp"
#include "muonlab/base/visible.hpp"
#include "muonlab/config/error.hpp"

namespace {

constexpr const char* kOutOfMemory =
    "error: out of memory. Lower train.micro_batch, or make the model smaller.\n";

int run(int argc, char** argv) {
  using namespace muonlab;
  app::Exit exit;
  const std::unique_ptr<CLI::App> program = app::make_program(exit);
  try {
    program->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // the help or the version was asked for
    if (error.get_exit_code() == 0) return program->exit(error);
    std::cerr << app::explain_parse_error(*program, error, {argv + 1, argv + argc});
    return base::exit_code::kWrongInput;
  }
  return exit.code;
}

}  // namespace

int main(int argc, char** argv) {
  namespace exit_code = muonlab::base::exit_code;
  // Names and texts of others reach a terminal in every message; what a pipe gets on standard
  // output is data and stays as it is.
  const muonlab::base::VisibleStream messages(std::cerr);
  std::optional<muonlab::base::VisibleStream> output;
  if (muonlab::base::is_terminal(1)) output.emplace(std::cout);
  try {
    return run(argc, argv);
  } catch (const muonlab::config::ConfigError& error) {
    std::cerr << error.what() << "\n";
    return exit_code::kWrongInput;
  } catch (const muonlab::base::NonFinite& error) {
    std::cerr << "error: " << error.what() << "\n";
    return exit_code::kNotFinite;
  } catch (const muonlab::base::UsageError& error) {
    std::cerr << "error: " << error.what() << "\n";
    return exit_code::kWrongInput;
  } catch (const muonlab::base::InUse& error) {
    std::cerr << "error: " << error.what() << "\n";
    return exit_code::kInUse;
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
