// muonlab eval, ask: what a model has learned.
#include <algorithm>
#include <cmath>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <vector>

#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "eval_parts.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/log.hpp"
#include "muonlab/base/non_finite.hpp"
#include "muonlab/base/permutation.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/base/text_table.hpp"
#include "muonlab/base/usage_error.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/data/content_check.hpp"
#include "muonlab/record/changes.hpp"
#include "muonlab/record/run_folder.hpp"
#include "muonlab/run/generate.hpp"
#include "muonlab/train/evaluation.hpp"

namespace muonlab::app {
namespace {

// Where the data are now, for data that were moved since the checkpoint was made.
struct DataPlace {
  std::vector<std::string> settings;
  void add_option(CLI::App& command) {
    command
        .add_option("--set", settings,
                    "where the data are now: data.train, data.valid, data.tokenizer or "
                    "data.tokenizer.path; may be repeated")
        ->type_name("PATH=VALUE")
        ->allow_extra_args(false);
  }
};

config::DataConfig moved_data(const config::RunConfig& before, const DataPlace& place) {
  const config::RunConfig now =
      config::parse_stored_config(config::dump_config(before), "the checkpoint", place.settings)
          .run;
  for (const config::Difference& difference : config::diff_configs(before, now)) {
    if (record::places_data(difference.path)) continue;
    throw base::UsageError("--set ", difference.path,
                           ": here --set says where the data are now (data.train, data.valid, "
                           "data.tokenizer, data.tokenizer.path); nothing else of the checkpoint's "
                           "configuration can be changed");
  }
  return now.data;
}

data::Dataset open_data(const run::LoadedModel& loaded, const std::string& name,
                        const DataPlace& place) {
  if (loaded.is_foreign)
    throw base::UsageError(name, ": a Hugging Face folder has no data of its own");
  const config::RunConfig& config = loaded.config;
  const config::DataConfig where = moved_data(config, place);
  data::Dataset data;
  try {
    data = data::open_dataset(where, config.model.context, config.seed);
  } catch (const base::Error& error) {
    const bool shards = std::holds_alternative<config::ShardsConfig>(where);
    throw base::Error(error.what(), ". If the data were moved, say where they are with --set ",
                      shards ? "'data.train=[\"FOLDER\"]' --set 'data.valid=[\"FOLDER\"]'"
                             : "data.tokenizer.path=FILE");
  }
  if (data.content) data.content->verify_valid();
  if (!loaded.data_identity.empty() && data.identity != loaded.data_identity) {
    base::log_warning(name, ": these are not the data that it was trained on (content hash ",
                      data.identity, ", the checkpoint says ", loaded.data_identity, ")");
  }
  return data;
}

// Questions from the most to the least frequent group, in equal parts; which of a group, the seed
// says.
std::vector<data::Question> spread_over_groups(const std::vector<data::Question>& all,
                                               int64_t count, uint64_t seed) {
  std::map<int, std::vector<const data::Question*>> groups;
  for (const data::Question& question : all) groups[question.group].push_back(&question);
  const auto num_groups = static_cast<int64_t>(groups.size());
  std::map<int, uint64_t> taken;
  std::vector<data::Question> chosen;
  for (int64_t i = 0; i < count; ++i) {
    const auto& [group, members] = *std::next(groups.begin(), i * num_groups / count);
    chosen.push_back(
        *members[base::permute(taken[group]++ % members.size(), members.size(), seed)]);
  }
  return chosen;
}

// A model's answer, right if it begins with the ids of the true one: what `tail` calls exact.
struct Answer {
  std::string text;
  bool right;
};

Answer answer_of(run::LoadedModel& loaded, const data::Question& question) {
  const data::Tokenizer& tokenizer = *loaded.tokenizer;
  // Training puts the end of the document before in front of a question.
  std::vector<int32_t> prompt{tokenizer.end_of_text()};
  for (const int32_t id : tokenizer.encode(question.text)) prompt.push_back(id);
  const std::vector<int32_t> truth = tokenizer.encode(" " + question.answer + ".");
  const run::Sampling likeliest{.temperature = 0,
                                .top_k = 0,
                                .seed = 1,
                                .max_tokens = std::max<int64_t>(24, std::ssize(truth))};
  const std::vector<int32_t> given =
      run::generate(loaded, std::move(prompt), likeliest, [](const std::string&) {});
  return {std::string(base::trim(tokenizer.decode(given))),
          given.size() >= truth.size() && std::equal(truth.begin(), truth.end(), given.begin())};
}

void add_file_options(CLI::App& command, FileEvalOptions& files) {
  constexpr const char* kGroup = "Files instead of validation data";
  command
      .add_option("--data", files.data,
                  "texts, JSON lines or token files, document by document; may be repeated")
      ->type_name("PATH")
      ->allow_extra_args(false)
      ->group(kGroup);
  command
      .add_option("--choices", files.choices,
                  "questions with answers to choose from: an evaluation file of llm.c, or JSON "
                  "lines in the forms of HellaSwag, ARC and PIQA")
      ->type_name("FILE")
      ->group(kGroup);
  command
      .add_option("--stride", files.stride,
                  "tokens by which the window moves on in a long document; the fewer, the more "
                  "tokens stand before each; default: the context")
      ->type_name("N")
      ->check(at_least(1))
      ->group(kGroup);
  command.add_option("--context", files.context, "tokens in a window; default: the model's")
      ->type_name("N")
      ->check(at_least(1))
      ->group(kGroup);
  command
      .add_option("--by", files.by,
                  "also the loss of each document, or by how many tokens stand before a token")
      ->type_name("WHAT")
      ->check(CLI::IsMember({"document", "position"}))
      ->group(kGroup);
  command.add_option("--format", files.format, "ids of token files without a header")
      ->type_name("TYPE")
      ->check(CLI::IsMember({"uint16", "uint32"}))
      ->group(kGroup);
  command.add_option("--field", files.field, "the field of JSON lines that holds the text")
      ->type_name("NAME")
      ->capture_default_str()
      ->group(kGroup);
}

void accept_file_options(const FileEvalOptions& files) {
  if (!files.data.empty() && !files.choices.empty())
    throw base::UsageError("--data and --choices are measured one at a time");
  const bool documents = files.stride > 0 || files.context > 0 || !files.by.empty();
  if (documents && files.data.empty())
    throw base::UsageError("--stride, --context and --by say how --data is read; name it");
}

}  // namespace

void add_eval(CLI::App& app, Exit&) {
  CLI::App* command = app.add_subcommand(
      "eval", R"(Compute the loss of a model: on its run's validation data, or on files.

  muonlab eval runs/quickstart@100 --samples 500
  muonlab eval runs/quickstart --data texts/ --stride 64 --by position)");
  struct Options {
    std::string checkpoint;
    int64_t samples = 0;
    std::string windows;
    config::Device device = config::Device::automatic;
    DataPlace place;
    FileEvalOptions files;
  };
  auto options = std::make_shared<Options>();
  command->add_option("MODEL", options->checkpoint, kModelHelp)->required();
  add_file_options(*command, options->files);
  command->add_option("--samples", options->samples,
                      "validation windows; default: the run's eval.samples; -1: all");
  command
      ->add_option("--windows", options->windows,
                   "spread over all validation data, or its first ones; default: the run's "
                   "eval.windows")
      ->check(CLI::IsMember({"spread", "first"}));
  command->add_flag("--json", options->files.json, "print JSON");
  add_device(*command, options->device);
  options->place.add_option(*command);
  command->callback([options] {
    accept_file_options(options->files);
    run::LoadedModel loaded = run::load_model(options->checkpoint, options->device);
    if (!options->files.data.empty()) return evaluate_documents(loaded, options->files);
    if (!options->files.choices.empty()) return evaluate_choices(loaded, options->files);
    if (loaded.is_foreign) {
      throw base::UsageError(options->checkpoint,
                             ": a Hugging Face folder has no validation data; "
                             "name texts or token files with --data");
    }
    const data::Dataset data = open_data(loaded, options->checkpoint, options->place);
    const int64_t there = data.valid->samples_per_epoch();
    int64_t count = options->samples == 0 ? loaded.config.eval.samples : options->samples;
    if (count < 0 || count > there) count = there;
    const config::EvalWindows which = options->windows.empty()      ? *loaded.config.eval.windows
                                      : options->windows == "first" ? config::EvalWindows::first
                                                                    : config::EvalWindows::spread;
    const std::vector<int64_t> windows = train::validation_windows(count, there, which);
    const train::Evaluation result =
        train::evaluate(*loaded.model, data, windows, loaded.config.train.micro_batch.value_or(8),
                        loaded.config.model.context, loaded.arena->values().device());
    if (!std::isfinite(result.loss)) {
      throw base::NonFinite(options->checkpoint, ": its validation loss is ",
                            base::exact(result.loss),
                            ": its weights are not finite, or they overflow. Take an earlier "
                            "checkpoint");
    }
    if (options->files.json) {
      nlohmann::ordered_json json{{"step", loaded.state.step},
                                  {"windows", count},
                                  {"val_loss", result.loss},
                                  {"val_perplexity", result.perplexity},
                                  {"val_bits_per_byte", result.bits_per_byte}};
      if (loaded.is_average) json["averaged_weights"] = true;
      std::cout << json.dump() << "\n";
    } else {
      const char* place = count == there                        ? "all of the validation data"
                          : which == config::EvalWindows::first ? "the first of the validation data"
                                                                : "spread over the validation data";
      base::TextTable table({{""}, {""}});
      table.add_row({"step", base::with_commas(loaded.state.step)});
      if (loaded.is_average) table.add_row({"weights", "average (train.average)"});
      table.add_row({"validation loss", base::fixed(result.loss, 4)});
      table.add_row({"perplexity", base::perplexity_text(result.perplexity)});
      table.add_row({"bits per byte", base::bits_per_byte_text(result.bits_per_byte)});
      table.add_row({"measured on", base::str(base::with_commas(count), " windows of ",
                                              loaded.config.model.context, " tokens, ", place)});
      std::cout << table.text(base::table_width());
    }
  });
}

void add_ask(CLI::App& app, Exit&) {
  CLI::App* command = app.add_subcommand(
      "ask",
      R"(Ask a model the embedded corpus's questions and show its answers next to the right ones.

  muonlab ask runs/quickstart
  muonlab ask runs/quickstart@100 --count 12 --seed 2)");
  struct Options {
    std::string checkpoint;
    int64_t count = 6, seed = 1;
    config::Device device = config::Device::automatic;
    DataPlace place;
  };
  auto options = std::make_shared<Options>();
  command->add_option("CHECKPOINT", options->checkpoint, kModelHelp)->required();
  command->add_option("--count", options->count, "questions")
      ->capture_default_str()
      ->check(at_least(1));
  command->add_option("--seed", options->seed, "chooses the questions of each frequency group")
      ->capture_default_str();
  add_device(*command, options->device);
  options->place.add_option(*command);
  command->callback([options] {
    run::LoadedModel loaded = run::load_model(options->checkpoint, options->device);
    const data::Dataset data = open_data(loaded, options->checkpoint, options->place);
    if (data.questions.empty()) {
      throw base::Error(options->checkpoint,
                        ": its corpus asks no questions; `ask` is for data.kind biographies");
    }
    const std::vector<data::Question> questions =
        spread_over_groups(data.questions, options->count, static_cast<uint64_t>(options->seed));
    const int rarest = data.questions.back().group;
    int64_t right = 0;
    for (const data::Question& question : questions) {
      const Answer answer = answer_of(loaded, question);
      right += answer.right;
      std::cout << base::trim(question.text) << "\n  model  " << answer.text << "\n  truth  "
                << question.answer << "." << (answer.right ? "   right" : "   wrong")
                << "   (frequency group " << question.group << " of 0–" << rarest << ")\n";
    }
    std::cout << right << " of " << questions.size()
              << " right (group 0 is asked about most often, group " << rarest << " once)\n";
  });
}

}  // namespace muonlab::app
