// muonlab sample: text from a model.
#include <signal.h>
#include <unistd.h>

#include <functional>
#include <iostream>
#include <memory>

#include "commands.hpp"
#include "json_result.hpp"
#include "muonlab/base/terminal.hpp"
#include "muonlab/base/usage_error.hpp"
#include "muonlab/run/generate.hpp"

namespace muonlab::app {
namespace {

struct SampleOptions {
  std::string model, prompt;
  int64_t samples = 1;
  bool interactive = false, json = false;
  config::Device device = config::Device::automatic;
  run::Sampling sampling;
};

struct Continuation {
  std::string text;
  std::vector<int32_t> ids;
};

// Prints the text that continues the prompt, handing on each piece; returns it.
Continuation write_text(
    run::LoadedModel& loaded, const std::string& prompt, const run::Sampling& sampling,
    const std::function<void(const std::string&)>& written = [](const std::string&) {}) {
  // Without a prompt the text starts as a document does, after an end of text.
  std::vector<int32_t> ids = loaded.tokenizer->encode(prompt);
  if (ids.empty()) ids.push_back(loaded.tokenizer->end_of_text());
  Continuation made;
  made.ids = run::generate(loaded, std::move(ids), sampling, [&](const std::string& piece) {
    std::cout << piece << std::flush;
    made.text += piece;
    written(piece);
  });
  std::cout << "\n";
  return made;
}

// Returns them for --json.
nlohmann::ordered_json write_samples(run::LoadedModel& loaded, const SampleOptions& options) {
  nlohmann::ordered_json samples = nlohmann::ordered_json::array();
  run::Sampling sampling = options.sampling;
  for (int64_t i = 0; i < options.samples; ++i, ++sampling.seed) {
    if (options.samples > 1)
      std::cout << (i > 0 ? "\n" : "") << "--- seed " << sampling.seed << "\n";
    std::cout << options.prompt << std::flush;
    const Continuation made = write_text(loaded, options.prompt, sampling);
    samples.push_back({{"seed", sampling.seed}, {"text", made.text}, {"ids", made.ids}});
  }
  return samples;
}

volatile sig_atomic_t writes_text = 0, ended_by_key = 0;
struct TextEnded {};

// Ctrl-C ends the text that is being written; while a line is typed it ends the program, at once,
// since a flag set just before the read would not be seen until the line is complete.
void note_interrupts() {
  struct sigaction action {};
  action.sa_handler = [](int) {
    if (!writes_text) ::_exit(base::exit_code::kInterrupted);
    ended_by_key = 1;
  };
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
}

// The continuation of a text as far as Ctrl-C let it come.
std::string write_until_interrupted(run::LoadedModel& loaded, const std::string& text,
                                    const run::Sampling& sampling) {
  std::string made;
  try {
    write_text(loaded, text, sampling, [&made](const std::string& piece) {
      made += piece;
      if (ended_by_key) throw TextEnded{};
    });
  } catch (const TextEnded&) {
    std::cout << "\n";
  }
  return made;
}

// Each line is continued as a text of its own; an empty line continues the last text further.
void converse(run::LoadedModel& loaded, const SampleOptions& options) {
  const bool shows_prompt = base::is_terminal(0);
  run::Sampling sampling = options.sampling;
  std::string text = options.prompt, line;
  if (shows_prompt) {
    note_interrupts();
    std::cout << "Type the beginning of a text; an empty line continues the last one. "
                 "Ctrl-C ends a text that is being written, Ctrl-D this command.\n";
  }
  while ((shows_prompt && std::cout << "> " << std::flush), std::getline(std::cin, line)) {
    if (!line.empty()) text = line;
    if (text.empty()) continue;
    writes_text = 1;
    std::cout << line << std::flush;
    text += write_until_interrupted(loaded, text, sampling);
    writes_text = 0;
    ended_by_key = 0;
    ++sampling.seed;
  }
  if (shows_prompt) std::cout << "\n";
}

void add_choice_options(CLI::App& command, run::Sampling& sampling) {
  command.add_option("--temperature", sampling.temperature, "0: always the likeliest token")
      ->capture_default_str()
      ->check(between(0, 100))
      ->group("Choice of tokens");
  command.add_option("--top-k", sampling.top_k, "draw among the k likeliest tokens; 0: all")
      ->capture_default_str()
      ->check(at_least(0))
      ->group("Choice of tokens");
  command
      .add_option("--top-p", sampling.top_p,
                  "draw among the likeliest tokens that have this share of the probability; 1: all")
      ->capture_default_str()
      ->check(between(0, 1))
      ->group("Choice of tokens");
  command
      .add_option("--min-p", sampling.min_p,
                  "leave out tokens with less than this share of the likeliest one's probability")
      ->capture_default_str()
      ->check(between(0, 1))
      ->group("Choice of tokens");
  command
      .add_option("--repetition-penalty", sampling.repetition_penalty,
                  "above 1: tokens that the text holds already become less likely")
      ->capture_default_str()
      ->check(between(0.01, 100))
      ->group("Choice of tokens");
  command.add_option("--seed", sampling.seed, "the same seed gives the same text")
      ->capture_default_str()
      ->group("Choice of tokens");
}

}  // namespace

void add_sample(CLI::App& app) {
  CLI::App* command = app.add_subcommand("sample", R"(Generate text from a model.

  muonlab sample runs/quickstart --prompt "Question:"
  muonlab sample runs/quickstart --prompt "Once" --temperature 0.7 --top-p 0.9 --samples 3)");
  auto options = std::make_shared<SampleOptions>();
  command->add_option("MODEL", options->model, kModelHelp)->required();
  command->add_option("--prompt", options->prompt, "text to continue; default: start a document")
      ->type_name("TEXT");
  command->add_option("--tokens", options->sampling.max_tokens, "the most tokens to generate")
      ->capture_default_str()
      ->check(at_least(1));
  command
      ->add_option("--stop", options->sampling.stop,
                   "end the text before this string; may be repeated")
      ->type_name("TEXT")
      ->allow_extra_args(false);
  command->add_option("--samples", options->samples, "texts, each with the next seed")
      ->capture_default_str()
      ->check(at_least(1));
  command->add_flag("--interactive", options->interactive,
                    "read beginnings of texts from standard input, a line each");
  add_choice_options(*command, options->sampling);
  add_json(*command, options->json);
  add_device(*command, options->device);
  command->callback([options] {
    const JsonResult result(options->json);
    for (const std::string& stop : options->sampling.stop) {
      if (stop.empty()) throw base::UsageError("--stop: an empty text ends every text at once");
    }
    if (options->interactive && options->samples > 1)
      throw base::UsageError("--samples and --interactive exclude each other");
    if (options->interactive && options->json)
      throw base::UsageError("--json and --interactive exclude each other");
    run::LoadedModel loaded = run::load_model(options->model, options->device);
    if (options->interactive) {
      converse(loaded, *options);
      return;
    }
    const nlohmann::ordered_json samples = write_samples(loaded, *options);
    if (result.wanted()) result.print({{"prompt", options->prompt}, {"samples", samples}});
  });
}

}  // namespace muonlab::app
