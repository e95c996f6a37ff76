// muonlab eval: the loss of a model.
#include <cmath>
#include <iostream>
#include <map>
#include <memory>
#include <vector>

#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "data_place.hpp"
#include "eval_parts.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/non_finite.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/base/text_table.hpp"
#include "muonlab/base/usage_error.hpp"
#include "muonlab/record/json_lines.hpp"
#include "muonlab/train/evaluation.hpp"

namespace muonlab::app {
namespace {

struct EvalOptions {
  std::string checkpoint;
  int64_t samples = 0;
  std::string windows;
  config::Device device = config::Device::automatic;
  DataPlace place;
  FileEvalOptions files;
};

// One set of validation data: how many of its windows were measured, of how many, and the result.
struct MeasuredSet {
  int64_t count, there;
  train::Evaluation result;
};

class ValidationEval {
 public:
  ValidationEval(run::LoadedModel& loaded, const EvalOptions& options)
      : loaded_(loaded), options_(options), which_(*loaded.config.eval.windows) {
    if (!options.windows.empty()) {
      which_ =
          options.windows == "first" ? config::EvalWindows::first : config::EvalWindows::spread;
    }
  }

  void run() {
    const data::Dataset data = open_data(loaded_, options_.checkpoint, options_.place);
    const MeasuredSet valid = measure(*data.valid, data.bytes_per_token, "");
    std::map<std::string, MeasuredSet> sets;
    for (const auto& [name, set] : data.valid_sets)
      sets.emplace(name, measure(*set.corpus, set.bytes_per_token, " on the set " + name));
    options_.files.json ? print_json(valid, sets) : print_tables(valid, sets);
  }

 private:
  MeasuredSet measure(const data::Corpus& valid, double bytes_per_token,
                      const std::string& of_set) const {
    const int64_t there = valid.samples_per_epoch();
    int64_t count = options_.samples == 0 ? loaded_.config.eval.samples : options_.samples;
    if (count < 0 || count > there) count = there;
    const std::vector<int64_t> windows = train::validation_windows(count, there, which_);
    const train::Evaluation result =
        train::evaluate(*loaded_.model, valid, bytes_per_token, windows,
                        loaded_.config.train.micro_batch.value_or(8), loaded_.config.model.context,
                        loaded_.arena->values().device());
    if (!std::isfinite(result.loss)) {
      throw base::NonFinite(options_.checkpoint, ": its validation loss", of_set, " is ",
                            base::exact(result.loss),
                            ": its weights are not finite, or they overflow. Take an earlier "
                            "checkpoint");
    }
    return {count, there, result};
  }

  static void put(nlohmann::ordered_json& json, const MeasuredSet& set) {
    json["windows"] = set.count;
    json["val_loss"] = set.result.loss;
    json["val_perplexity"] = set.result.perplexity;
    json["val_bits_per_byte"] = set.result.bits_per_byte;
  }

  void print_json(const MeasuredSet& valid, const std::map<std::string, MeasuredSet>& sets) const {
    nlohmann::ordered_json json{{"step", loaded_.state.step}};
    put(json, valid);
    if (loaded_.is_average) json["averaged_weights"] = true;
    for (const auto& [name, set] : sets) put(json["sets"][name], set);
    std::cout << record::json_text(json) << "\n";
  }

  std::string measured_on(const MeasuredSet& set) const {
    const char* place = set.count == set.there                 ? "all of the validation data"
                        : which_ == config::EvalWindows::first ? "the first of the validation data"
                                                               : "spread over the validation data";
    return base::str(base::with_commas(set.count), " windows of ", loaded_.config.model.context,
                     " tokens, ", place);
  }

  void print_tables(const MeasuredSet& valid,
                    const std::map<std::string, MeasuredSet>& sets) const {
    base::TextTable table({{""}, {""}});
    table.add_row({"step", base::with_commas(loaded_.state.step)});
    if (loaded_.is_average) table.add_row({"weights", "average (train.average)"});
    table.add_row({"validation loss", base::fixed(valid.result.loss, 4)});
    table.add_row({"perplexity", base::perplexity_text(valid.result.perplexity)});
    table.add_row({"bits per byte", base::bits_per_byte_text(valid.result.bits_per_byte)});
    table.add_row({"measured on", measured_on(valid)});
    std::cout << table.text(base::table_width());
    if (sets.empty()) return;
    using enum base::TextColumn::Kind;
    base::TextTable of_sets({{"validation set"},
                             {"loss", number},
                             {"perplexity", number},
                             {"bits per byte", number},
                             {"windows", number}});
    for (const auto& [name, set] : sets) {
      of_sets.add_row(
          {name, base::fixed(set.result.loss, 4), base::perplexity_text(set.result.perplexity),
           base::bits_per_byte_text(set.result.bits_per_byte), base::with_commas(set.count)});
    }
    std::cout << "\n" << of_sets.text(base::table_width());
  }

  run::LoadedModel& loaded_;
  const EvalOptions& options_;
  config::EvalWindows which_;
};

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
  auto options = std::make_shared<EvalOptions>();
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
    ValidationEval(loaded, *options).run();
  });
}

}  // namespace muonlab::app
