#pragma once

#include <CLI/CLI.hpp>

namespace muonlab::app {

// The form of every `--help`: what the command does, examples, usage, then arguments and options in
// groups, with types and defaults where a person looks for them.
class Help : public CLI::Formatter {
 public:
  Help();
  std::string make_help(const CLI::App* app, std::string name,
                        CLI::AppFormatMode mode) const override;
  std::string make_usage(const CLI::App* app, std::string name) const override;
  // In a list of subcommands, the first sentence.
  std::string make_subcommand(const CLI::App* sub) const override;
  std::string make_option_name(const CLI::Option* option, bool is_positional) const override;
  std::string make_option_opts(const CLI::Option* option) const override;
  std::string make_option_desc(const CLI::Option* option) const override;
};

// An option's meaning with its default: "questions (default 6)".
std::string option_meaning(const CLI::Option& option);

}  // namespace muonlab::app
