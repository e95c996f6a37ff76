#include <algorithm>
#include <functional>

#include "commands.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::app {
namespace {

// The names of all subcommands of a command.
std::vector<std::string> names_below(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::App* sub : command.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(sub->get_name());
  }
  return names;
}

// "--temperature" and its like.
std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options([](const CLI::Option*) { return true; })) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

}  // namespace

std::string explain_parse_error(const CLI::App& program, const CLI::ParseError& error,
                                const std::vector<std::string>& words) {
  // The innermost command that was named, and the first word after it.
  const CLI::App* command = &program;
  std::string path;
  size_t next = 0;
  for (; next < words.size(); ++next) {
    const std::vector<std::string> names = names_below(*command);
    if (std::find(names.begin(), names.end(), words[next]) == names.end()) break;
    command = command->get_subcommand(words[next]);
    path += (path.empty() ? "" : " ") + words[next];
  }
  if (const std::vector<std::string> names = names_below(*command); !names.empty()) {
    if (next == words.size() || words[next].starts_with("-")) return command->help();
    const auto near = base::nearest(words[next], names);
    return base::str(
        "error: there is no command \"", path.empty() ? "" : path + " ", words[next], "\"; ",
        near ? base::str("did you mean \"", *near, "\"?") : "commands: " + base::join(names, " "),
        "\n");
  }
  std::string what = error.what();
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
    const std::string word = what.substr(what.rfind(' ') + 1);
    const auto near = base::nearest(word, option_names(*command));
    what = word.starts_with("--") ? base::str("there is no option ", word,
                                              near ? "; did you mean " + *near + "?" : ".")
                                  : base::str("\"", word, "\" is one word too many.");
  } else {
    what += ".";
  }
  return base::str("error: ", path, ": ", what, " See `muonlab ", path, " --help`\n");
}

}  // namespace muonlab::app
