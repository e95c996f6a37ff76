#include "man_page.hpp"

#include <string_view>
#include <vector>

#include "help.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/exit_code.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::app {
namespace {

constexpr std::string_view kEnd = R"(.SH FILES
.TP
.I runs/NAME
A run's folder: its configuration, metrics and checkpoints.
.TP
.I PREFIX/share/muonlab/configs
The configurations that come with the program. A configuration that is not in the current folder is looked up in
.IR PREFIX/share/muonlab ,
so that
.B muonlab train configs/quickstart.json
works in any folder.
.TP
.I PREFIX/share/doc/muonlab
README.md explains the program; docs/ explains sweeps, file formats, statistics and results.
.SH ENVIRONMENT
.TP
.B NO_COLOR
If it is set, tables and progress are printed without colour.
)";

// Text that roff prints as it stands.
std::string escaped(std::string_view text) {
  std::string out;
  bool line_start = true;
  for (const char c : text) {
    if (line_start && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
    line_start = c == '\n';
  }
  return out;
}

// Indented lines are examples and keep their form.
std::string paragraphs(const std::string& text) {
  std::string out;
  bool example = false;
  for (const std::string& line : base::split(text, '\n')) {
    const bool indented = line.starts_with("  ");
    if (indented != example) out += indented ? ".nf\n.RS 2\n" : ".RE\n.fi\n";
    example = indented;
    out += line.empty() ? ".PP\n" : escaped(indented ? line.substr(2) : line) + "\n";
  }
  return out + (example ? ".RE\n.fi\n" : "");
}

std::string option_entry(const CLI::Option& option) {
  const bool positional = option.get_positional();
  std::string head = base::str("\\fB", escaped(option.get_name(positional, !positional)), "\\fR");
  if (!positional && option.get_type_size() != 0) {
    head += base::str(" \\fI", escaped(option.get_type_name()), "\\fR");
  }
  return base::str(".TP\n", head, "\n", escaped(option_meaning(option)), "\n");
}

void add_command(const CLI::App& command, const std::string& name, std::string& out) {
  const auto subcommands = command.get_subcommands([](const CLI::App*) { return true; });
  std::string usage = name;
  if (!subcommands.empty()) usage += " COMMAND";
  for (const CLI::Option* option : command.get_options([](const CLI::Option*) { return true; })) {
    if (option->get_positional()) usage += " " + option->get_name(true);
  }
  out += base::str(".SS \"", escaped(usage), "\"\n", paragraphs(command.get_description()));
  for (const CLI::Option* option : command.get_options([](const CLI::Option*) { return true; })) {
    if (!option->get_group().empty()) out += option_entry(*option);
  }
  for (const CLI::App* sub : subcommands) add_command(*sub, name + " " + sub->get_name(), out);
}

}  // namespace

std::string man_page(const CLI::App& program, const std::string& version) {
  std::string out = base::str(
      ".TH MUONLAB 1 \"\" \"muonlab ", version, "\" \"User Commands\"\n.SH NAME\n",
      "muonlab \\- pretrain LLaMA\\-style language models and compare optimizers\n.SH SYNOPSIS\n",
      ".B muonlab\n.I COMMAND\n.RI [ ARGUMENTS ]\n.SH DESCRIPTION\n",
      paragraphs(program.get_description()), ".SH COMMANDS\n");
  for (const CLI::App* sub : program.get_subcommands([](const CLI::App*) { return true; }))
    add_command(*sub, "muonlab " + sub->get_name(), out);
  out += ".SH \"EXIT STATUS\"\n";
  for (const auto& [code, text] : base::exit_code::kMeanings)
    out += base::str(".TP\n.B ", code, "\n", escaped(text), "\n");
  return out + std::string(kEnd);
}

}  // namespace muonlab::app
