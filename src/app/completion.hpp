// Shell completion, generated from the commands as they are declared.
#pragma once

#include <string>

#include <CLI/CLI.hpp>

namespace muonlab::app {

// A script for `shell` (bash, zsh or fish) that completes commands, options, the choices of an
// option, and names of files where neither is expected.
std::string completion_script(const CLI::App& program, const std::string& shell);

}  // namespace muonlab::app
