#include "completion.hpp"

#include <vector>

#include "muonlab/base/error.hpp"
#include "muonlab/base/process.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::app {
namespace {

struct Word {
  std::string name, meaning;
};

struct CompletedOption {
  std::vector<std::string> names;  // "--set", "-h"
  std::string meaning;
  bool takes_value = false;
  std::vector<std::string> choices{};  // of its value; empty: a file's name
};

struct CompletedCommand {
  std::string path;  // "data tokens"; empty for the program
  std::vector<Word> commands;
  std::vector<CompletedOption> options;
};

// The choices that CLI::IsMember describes as {a,b}.
std::vector<std::string> choices_of(CLI::Option& option) {
  try {
    for (int i = 0;; ++i) {
      const std::string text = option.get_validator(i)->get_description();
      if (text.size() > 2 && text.front() == '{' && text.back() == '}')
        return base::split(text.substr(1, text.size() - 2), ',');
    }
  } catch (const CLI::OptionNotFound&) {
    return {};
  }
}

std::string first_sentence(const std::string& text) {
  const std::string line = text.substr(0, text.find('\n'));
  return line.substr(0, line.find("; "));
}

void walk(const CLI::App& command, const std::string& path, std::vector<CompletedCommand>& out) {
  CompletedCommand completed{.path = path, .commands = {}, .options = {}};
  const auto subcommands = command.get_subcommands([](const CLI::App*) { return true; });
  for (const CLI::App* sub : subcommands)
    completed.commands.push_back({sub->get_name(), first_sentence(sub->get_description())});
  for (const CLI::Option* option : command.get_options([](const CLI::Option*) { return true; })) {
    if (option->get_positional() || option->get_group().empty()) continue;
    CompletedOption one{.names = {},
                        .meaning = first_sentence(option->get_description()),
                        .takes_value = option->get_type_size() != 0};
    for (const std::string& name : option->get_lnames()) one.names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) one.names.push_back("-" + name);
    one.choices = choices_of(const_cast<CLI::Option&>(*option));  // its validators are not const
    completed.options.push_back(std::move(one));
  }
  out.push_back(std::move(completed));
  for (const CLI::App* sub : subcommands)
    walk(*sub, path.empty() ? sub->get_name() : path + " " + sub->get_name(), out);
}

std::string fish_quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text)
    out += c == '\'' || c == '\\' ? std::string{'\\', c} : std::string(1, c);
  return out + "'";
}

// "'train' | 'data' | 'data tokens'": every command's path, as alternatives of a case.
std::string paths(const std::vector<CompletedCommand>& commands, const char* separator) {
  std::vector<std::string> all;
  for (const CompletedCommand& command : commands)
    if (!command.path.empty()) all.push_back(base::shell_quoted(command.path));
  return base::join(all, separator);
}

// The lines of a case on "COMMAND/OPTION": what follows an option that takes a value.
template <class Action>
std::string value_cases(const std::vector<CompletedCommand>& commands, Action action) {
  std::string out;
  for (const CompletedCommand& command : commands) {
    for (const CompletedOption& option : command.options) {
      if (!option.takes_value) continue;
      std::vector<std::string> patterns;
      for (const std::string& name : option.names)
        patterns.push_back(base::shell_quoted(command.path + "/" + name));
      out += base::str("    ", base::join(patterns, " | "), ") ", action(option.choices), " ;;\n");
    }
  }
  return out;
}

std::string bash_script(const std::vector<CompletedCommand>& commands) {
  const auto values = [](const std::vector<std::string>& choices) {
    return choices.empty()
               ? std::string("return")
               : "COMPREPLY=($(compgen -W " + base::shell_quoted(base::join(choices, " ")) +
                     " -- \"$current\")); return";
  };
  std::string words;
  for (const CompletedCommand& command : commands) {
    std::vector<std::string> names, options;
    for (const Word& word : command.commands) names.push_back(word.name);
    for (const CompletedOption& option : command.options)
      options.insert(options.end(), option.names.begin(), option.names.end());
    words += base::str("    ", base::shell_quoted(command.path),
                       ") commands=", base::shell_quoted(base::join(names, " ")),
                       " options=", base::shell_quoted(base::join(options, " ")), " ;;\n");
  }
  return base::str(R"(# Completion of muonlab in bash: source <(muonlab completion bash)
_muonlab() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local command= commands= options= word i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; ++i)); do
    word=${command:+$command }${COMP_WORDS[i]}
    case $word in
    )",
                   paths(commands, " | "), R"() command=$word ;;
    esac
  done
  case $command/$previous in
)",
                   value_cases(commands, values), R"(  esac
  case $command in
)",
                   words, R"(  esac
  if [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$current"))
  elif [[ -n $commands ]]; then
    COMPREPLY=($(compgen -W "$commands" -- "$current"))
  fi
}
# Where nothing else fits, names of files are completed.
complete -o default -F _muonlab muonlab
)");
}

// "name:meaning" as _describe of zsh reads it.
std::string described(const std::string& name, const std::string& meaning) {
  std::string escaped;
  for (const char c : name) escaped += c == ':' ? "\\:" : std::string(1, c);
  return base::shell_quoted(escaped + ":" + meaning);
}

std::string zsh_script(const std::vector<CompletedCommand>& commands) {
  const auto values = [](const std::vector<std::string>& choices) {
    return choices.empty() ? std::string("_files; return")
                           : "compadd -- " + base::join(choices, " ") + "; return";
  };
  std::string words;
  for (const CompletedCommand& command : commands) {
    words += base::str("    ", base::shell_quoted(command.path), ")\n      commands=(");
    for (const Word& word : command.commands) words += " " + described(word.name, word.meaning);
    words += ")\n      options=(";
    for (const CompletedOption& option : command.options)
      for (const std::string& name : option.names) words += " " + described(name, option.meaning);
    words += ") ;;\n";
  }
  return base::str(R"(#compdef muonlab
# Completion of muonlab in zsh: source <(muonlab completion zsh), or a file _muonlab in $fpath
compdef _muonlab muonlab
_muonlab() {
  local command= word i
  local -a commands options
  for ((i = 2; i < CURRENT; ++i)); do
    word="${command:+$command }${words[i]}"
    case $word in
    )",
                   paths(commands, " | "), R"() command=$word ;;
    esac
  done
  case $command/${words[CURRENT - 1]} in
)",
                   value_cases(commands, values), R"(  esac
  case $command in
)",
                   words, R"(  esac
  if [[ ${words[CURRENT]} == -* ]]; then
    _describe -o option options
  elif (( $#commands )); then
    _describe command commands
  else
    _files
  fi
}
[[ $funcstack[1] == _muonlab ]] && _muonlab "$@"
return 0
)");
}

std::string fish_script(const std::vector<CompletedCommand>& commands) {
  std::string out = base::str(R"(# Completion of muonlab in fish: muonlab completion fish | source
function __muonlab_at
    set -l command ''
    for word in (commandline -opc)[2..-1]
        set -l longer (string trim -- "$command $word")
        if contains -- $longer )",
                              paths(commands, " "), R"(
            set command $longer
        end
    end
    test "$command" = "$argv[1]"
end
)");
  for (const CompletedCommand& command : commands) {
    const std::string line =
        base::str("complete -c muonlab -n \"__muonlab_at '", command.path, "'\"");
    for (const Word& word : command.commands)
      out += base::str(line, " -f -a ", word.name, " -d ", fish_quoted(word.meaning), "\n");
    for (const CompletedOption& option : command.options) {
      out += line;
      for (const std::string& name : option.names)
        out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      if (!option.choices.empty())
        out += " -x -a " + fish_quoted(base::join(option.choices, " "));
      else if (option.takes_value)
        out += " -r";
      out += " -d " + fish_quoted(option.meaning) + "\n";
    }
  }
  return out;
}

}  // namespace

std::string completion_script(const CLI::App& program, const std::string& shell) {
  std::vector<CompletedCommand> commands;
  walk(program, "", commands);
  if (shell == "bash") return bash_script(commands);
  if (shell == "zsh") return zsh_script(commands);
  return fish_script(commands);
}

}  // namespace muonlab::app
