#pragma once

#include <string>

#include <CLI/CLI.hpp>

namespace muonlab::app {

// The manual page, muonlab(1), in roff: every command with its description and options, as `--help`
// has them, then exit codes, files and environment.
std::string man_page(const CLI::App& program, const std::string& version);

}  // namespace muonlab::app
