#pragma once

#include <memory>

#include "commands.hpp"

namespace muonlab::app {

// The command line as a whole: every subcommand, the form of its help, --version and --man-page.
std::unique_ptr<CLI::App> make_program(Exit& exit);

}  // namespace muonlab::app
