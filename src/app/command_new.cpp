// muonlab new: from a text to a configuration that trains on it.
#include <algorithm>
#include <array>
#include <cmath>
#include <iostream>
#include <memory>

#include "commands.hpp"
#include "json_result.hpp"
#include "muonlab/base/clock.hpp"
#include "muonlab/base/cpu.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/terminal.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/base/usage_error.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/data/shard.hpp"
#include "muonlab/data/tokenize.hpp"
#include "muonlab/data/tokenizer_training.hpp"
#include "muonlab/ops/gemm_rate.hpp"
#include "muonlab/run/session.hpp"
#include "muonlab/tensor/runtime.hpp"
#include "muonlab/train/step.hpp"

namespace muonlab::app {
namespace {

constexpr int64_t kContext = 256, kBatch = 32, kTokensPerStep = kContext * kBatch;
constexpr double kValidShare = 0.05;
constexpr double kMostEpochs = 4;       // repeated that often, a token still teaches (2305.16264)
constexpr double kTokensPerValue = 20;  // of a well-trained model (2203.15556)
constexpr double kLeastSteps = 100;
constexpr double kShareOfPeak = 0.5;  // of the GEMM peak that a training step reaches, about

struct NewOptions {
  std::string name, data, time = "30min";
  data::ReadOptions read;
  bool json = false;
};

struct Corpus {
  std::string train, valid;  // folders of shards; empty: the embedded corpus
  int64_t tokens = 0, vocabulary = 0;
  std::string description{};
};

struct Proposal {
  config::ModelConfig model;
  int64_t parameters = 0, steps = 0;
  double seconds = 0, epochs = 0;
  config::Precision precision = config::Precision::fp32;

  void set_steps(int64_t count, const Corpus& corpus) {
    steps = count;
    epochs = static_cast<double>(steps * kTokensPerStep) / static_cast<double>(corpus.tokens);
  }
};

Corpus open_shards(const std::string& folder) {
  Corpus corpus{.train = base::join_path(folder, "train"),
                .valid = base::join_path(folder, "valid")};
  for (const std::string& path : data::shard_paths(corpus.train)) {
    const data::Shard shard = data::Shard::open(path, {});
    corpus.tokens += shard.num_tokens();
    corpus.vocabulary = static_cast<int64_t>(shard.header().vocabulary);
  }
  corpus.description = folder + ", shards";
  return corpus;
}

constexpr int64_t kLeastVocabulary = 512;

// About one piece for 2,500 bytes of text, so that each is seen often: 1,024 to 16,384.
int64_t fitting_vocabulary(uint64_t bytes) {
  int64_t vocabulary = 1024;
  while (vocabulary < 16384 && static_cast<uint64_t>(vocabulary) * 2500 < bytes) vocabulary *= 2;
  return vocabulary;
}

// Learns a tokenizer and writes shards into `folder`.
Corpus tokenize(const NewOptions& options, const std::string& folder) {
  const data::InputList list = data::list_inputs({options.data});
  uint64_t bytes = 0;
  for (const data::Input& input : list.inputs) bytes += input.file_bytes;
  data::TokenizerTraining training;
  training.vocabulary = fitting_vocabulary(bytes);
  data::TokenizeOptions tokenize;
  tokenize.inputs = {options.data};
  tokenize.read = options.read;
  tokenize.valid_share = kValidShare;
  tokenize.threads = base::usable_processors();
  // Each text is a document: of a few, one validates; a single one is cut at its empty lines.
  const size_t num_texts = list.inputs.size();
  const bool only_texts = std::ranges::all_of(
      list.inputs, [](const auto& input) { return input.kind == data::InputKind::text; });
  if (only_texts && num_texts == 1) {
    tokenize.read.split_at = "\n\n";
    std::cout << "note     one text: each part between two empty lines is a document of its own\n";
  } else if (only_texts) {
    tokenize.valid_share = std::max(kValidShare, 1.0 / static_cast<double>(num_texts));
  }
  data::BadLines bad;
  std::string model;
  while (model.empty()) {
    try {
      base::ProgressBar bar("tokenizer", bytes, "B");
      model = data::train_tokenizer_on_files(list, options.read, training, bad,
                                             [&](uint64_t done, uint64_t) { bar.set(done); });
    } catch (const base::Error&) {
      // A text that repeats itself has fewer pieces than one of its size usually has.
      if (training.vocabulary <= kLeastVocabulary) throw;
      training.vocabulary /= 2;
      bad = {};
    }
  }
  const auto tokenizer = data::make_sentencepiece_tokenizer(model, "the new tokenizer");
  base::ProgressBar bar("tokens", bytes, "B");
  data::tokenize_files(*tokenizer, folder, tokenize,
                       [&](uint64_t done, uint64_t, uint64_t) { bar.set(done); });
  bar.finish();
  Corpus corpus = open_shards(folder);
  corpus.description = base::str(options.data, ", ", tokenizer->description());
  return corpus;
}

// The data as they are: a folder whose train and valid hold shards, or text to make such a folder.
Corpus find_corpus(const NewOptions& options) {
  if (options.data.empty()) return {};
  base::FileSystem& files = base::real_file_system();
  const bool shards = files.is_directory(base::join_path(options.data, "train")) &&
                      files.is_directory(base::join_path(options.data, "valid"));
  if (shards) return open_shards(options.data);
  const std::string folder = options.name + "-data";
  if (files.exists(folder)) {
    throw base::Error(folder, ": is there already, and nothing is written over it; choose another ",
                      "name, or train on what it holds with --data ", folder);
  }
  return tokenize(options, folder);
}

int64_t num_parameters(const config::ModelConfig& model) {
  int64_t count = 0;
  for (const config::ParameterSpec& spec : config::parameter_specs(model)) count += spec.count();
  return count;
}

// Forward and backward pass: 6 for each weight that multiplies (all but the embedding), and the
// products of attention.
double flops_per_token(const config::ModelConfig& model, int64_t parameters) {
  const double embedding = static_cast<double>(*model.vocabulary * model.width);
  return 6 * (static_cast<double>(parameters) - embedding) +
         12 * static_cast<double>(model.layers * model.width * kContext);
}

config::ModelConfig shape(int64_t layers, int64_t width, int64_t heads, int64_t vocabulary) {
  const std::string text = base::str("{\"train\": {\"steps\": 1}, \"model\": {\"layers\": ", layers,
                                     ", \"width\": ", width, ", \"heads\": ", heads, "}}");
  config::ModelConfig model = config::parse_config(text, "the proposal").run.model;
  model.vocabulary = vocabulary;  // the data's own, which may be smaller than the default data's
  return model;
}

// The largest model that the data teach well within the time; the smallest in any case.
Proposal propose(const Corpus& corpus, double budget_s) {
  struct Shape {
    int64_t layers, width, heads;
  };
  constexpr std::array<Shape, 7> kShapes{{{2, 64, 2},
                                          {4, 128, 4},
                                          {6, 256, 4},
                                          {6, 384, 6},
                                          {8, 512, 8},
                                          {12, 768, 12},
                                          {16, 1024, 16}}};
  config::RunConfig bf16;
  bf16.precision = config::Precision::bf16;
  const config::Precision precision = run::usable_precision(bf16);
  constexpr double kProbe_s = 0.5;
  const double flops = 1e9 * kShareOfPeak * ops::gemm_peak_gflops(precision, kProbe_s);
  Proposal best;
  for (const Shape& s : kShapes) {
    Proposal one{.model = shape(s.layers, s.width, s.heads, corpus.vocabulary)};
    one.precision = precision;
    one.parameters = num_parameters(one.model);
    const double step_s =
        static_cast<double>(kTokensPerStep) * flops_per_token(one.model, one.parameters) / flops;
    const double wanted = std::max(
        kLeastSteps, kTokensPerValue * static_cast<double>(one.parameters) / kTokensPerStep);
    const double there = kMostEpochs * static_cast<double>(corpus.tokens) / kTokensPerStep;
    const double steps = std::max(10.0, std::min({wanted, there, budget_s / step_s}));
    one.set_steps(static_cast<int64_t>(steps), corpus);
    // Half of what it wants is still better than a model of a quarter of the size.
    const bool fits = static_cast<double>(one.steps) >= wanted / 2;
    if (best.steps == 0 || fits) best = one;
  }
  return best;
}

std::string embedded_text(const std::string& name) {
  return base::str("// ", name, R"(: written by `muonlab new`. Train with: muonlab train )", name,
                   R"(.json
{
  // Questions about invented people, generated by the program. `muonlab new NAME --data TEXT` makes
  // a configuration for a text of your own.
  "data": {"kind": "biographies", "m": 8},
  "model": {"layers": 2, "width": 128, "heads": 4, "context": 64},

  // Optimizers by name, and which parameters get which: the first line that matches decides.
  "optimizers": {
    "muon": {"rule": "muon", "lr": 0.02},
    "adam": {"rule": "adamw", "lr": 0.003}
  },
  "assign": [
    {"params": ["vo", "ffn"], "optimizer": "muon"},
    {"params": ["all"], "optimizer": "adam"}
  ],

  "train": {"steps": 400, "batch": 32},
  "eval": {"every": 50},          // steps between validations
  "checkpoint": {"every": 100}    // steps between checkpoints; the same command resumes
}
)");
}

std::string config_text(const std::string& name, const Corpus& corpus, const Proposal& proposal) {
  const auto quoted = [](const std::string& text) { return nlohmann::json(text).dump(); };
  const config::ModelConfig& model = proposal.model;
  const int64_t warmup = std::max<int64_t>(1, proposal.steps / 20);
  const int64_t every = std::max<int64_t>(10, proposal.steps / 10);
  return base::str(
      "// ", name, ": written by `muonlab new`. Train with: muonlab train ", name, ".json\n",
      "// Data: ", corpus.description, "; ", base::human_count(static_cast<double>(corpus.tokens)),
      " tokens to train on.\n// Model: ",
      base::human_count(static_cast<double>(proposal.parameters)), " parameters. Training passes ",
      base::significant(proposal.epochs, 2), " times over the data and takes about ",
      base::human_duration(proposal.seconds), " on the machine where this was written.\n{\n",
      proposal.precision == config::Precision::bf16
          ? "  \"precision\": \"bf16\",  // half the time of fp32 on this processor\n"
          : "",
      "  // Larger: more layers or width. \"size\" gives a whole shape: tiny, small, 14m or "
      "160m.\n",
      "  \"model\": {\"layers\": ", model.layers, ", \"width\": ", model.width,
      ", \"heads\": ", model.heads, ", \"context\": ", kContext, "},\n",
      "  \"data\": {\"kind\": \"shards\", \"train\": [", quoted(corpus.train), "], \"valid\": [",
      quoted(corpus.valid), "]},\n\n",
      "  // Optimizers by name, and which parameters get which: the first line that matches "
      "decides.\n",
      "  // `muonlab lr-find ", name, ".json` tests the learning rates.\n",
      "  \"optimizers\": {\n    \"muon\": {\"rule\": \"muon\", \"lr\": 0.02},\n",
      "    \"adam\": {\"rule\": \"adamw\", \"lr\": 0.002}\n  },\n  \"assign\": [\n",
      "    {\"params\": [\"vo\", \"ffn\"], \"optimizer\": \"muon\"},\n",
      "    {\"params\": [\"all\"], \"optimizer\": \"adam\"}\n  ],\n",
      "  // The learning rates rise in the first steps and fall to zero in the last third.\n",
      "  \"schedule\": {\"kind\": \"wsd\", \"warmup\": ", warmup, ", \"decay_fraction\": 0.3},\n\n",
      "  \"train\": {\"steps\": ", proposal.steps, ", \"batch\": ", kBatch, ", \"clip\": 1.0},\n",
      "  \"eval\": {\"every\": ", every, "},          // steps between validations\n",
      "  \"checkpoint\": {\"every\": ", every,
      "}     // the same command resumes an interrupted run\n}\n");
}

// Seconds of a training step of the configuration, measured: the second one, or the third where
// they are quick.
double measured_step_s(const std::string& text, const std::string& label) {
  base::LiveLine live;
  live.update("measuring a training step …");
  run::Session session(run::prepare(config::parse_config(text, label).run));
  const base::Stopwatch watch;
  double step_s = 0;
  for (int i = 0; i < 2 || (i < 3 && watch.seconds() < 10); ++i)
    step_s = train::train_step(session.trainer()).total_s;
  live.clear();
  return step_s;
}

int64_t rounded(int64_t steps) { return steps > 100 ? steps / 50 * 50 : steps; }

void make_new(const NewOptions& options) {
  const JsonResult result(options.json);
  const std::optional<double> budget_s = base::parse_duration(options.time);
  if (!budget_s)
    throw base::UsageError("--time ", options.time, ": give a time as in 45s, 30min or 3h");
  const std::string path = options.name + ".json";
  if (base::real_file_system().exists(path))
    throw base::Error(path,
                      ": is there already, and nothing is written over it; choose another name");
  tensor::start_runtime(base::usable_processors());
  const Corpus corpus = find_corpus(options);
  Proposal proposal;
  std::string text = embedded_text(options.name);
  if (!corpus.train.empty()) {
    proposal = propose(corpus, *budget_s);
    const double step_s = measured_step_s(config_text(options.name, corpus, proposal), path);
    const auto fitting = static_cast<int64_t>(*budget_s / step_s);
    proposal.set_steps(rounded(std::max<int64_t>(10, std::min(proposal.steps, fitting))), corpus);
    proposal.seconds = static_cast<double>(proposal.steps) * step_s;
    text = config_text(options.name, corpus, proposal);
  }
  config::parse_config(text, path);  // what is written can be read
  base::real_file_system().create_new(path)->write_text(text);
  std::cout << "wrote    " << path << "\n";
  if (!corpus.train.empty()) {
    std::cout << "data     " << corpus.description << ", "
              << base::human_count(static_cast<double>(corpus.tokens)) << " tokens\nmodel    "
              << proposal.model.layers << " layers, width " << proposal.model.width << ", "
              << base::human_count(static_cast<double>(proposal.parameters))
              << " parameters\nplan     " << base::with_commas(proposal.steps) << " steps, "
              << base::significant(proposal.epochs, 2) << " epochs, about "
              << base::human_duration(proposal.seconds) << "\n";
  }
  std::cout << "next     muonlab train " << path << "\n";
  if (!result.wanted()) return;
  nlohmann::ordered_json json{{"path", path}};
  if (!corpus.train.empty()) {
    json.update({{"tokens", corpus.tokens},
                 {"parameters", proposal.parameters},
                 {"steps", proposal.steps},
                 {"seconds", proposal.seconds}});
  }
  result.print(json);
}

}  // namespace

void add_new(CLI::App& app, Exit&) {
  CLI::App* command = app.add_subcommand(
      "new", R"(Write a commented configuration, for a text of your own or the embedded corpus.

  muonlab new first
  muonlab new poems --data texts/ --time 20min

With a text, or a folder of texts, a tokenizer is learned and the token files go to NAME-data/. A folder whose train and
valid hold token files is used as it is. Model and length are proposed by the number of tokens and the speed of this
machine. Nothing is written over.)");
  auto options = std::make_shared<NewOptions>();
  command->add_option("NAME", options->name, "of the run; the file is NAME.json")->required();
  command
      ->add_option("--data", options->data, "a text or JSON file, a folder of them, or token files")
      ->type_name("PATH");
  command->add_option("--time", options->time, "how long the training may take at most, about")
      ->capture_default_str();
  command->add_option("--field", options->read.field, "the string to read from a JSON object")
      ->type_name("NAME")
      ->capture_default_str();
  add_json(*command, options->json);
  command->callback([options] { make_new(*options); });
}

}  // namespace muonlab::app
