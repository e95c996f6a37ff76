// muonlab completion.
#include <iostream>
#include <memory>

#include "commands.hpp"
#include "completion.hpp"

namespace muonlab::app {

void add_completion(CLI::App& app, Exit&) {
  CLI::App* command = app.add_subcommand(
      "completion", R"(Print a script that completes muonlab's commands and options in a shell.

  muonlab completion bash > ~/.local/share/bash-completion/completions/muonlab
  muonlab completion zsh > ~/.zfunc/_muonlab
  muonlab completion fish > ~/.config/fish/completions/muonlab.fish

In bash and zsh, source <(muonlab completion SHELL) completes in the shell at hand.)");
  auto shell = std::make_shared<std::string>();
  command->add_option("SHELL", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  command->callback([shell, &app] { std::cout << completion_script(app, *shell); });
}

}  // namespace muonlab::app
