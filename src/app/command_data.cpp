// muonlab data: tokenizers, token shards, and what training will see of them.
#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>
#include <span>

#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "installed.hpp"
#include "muonlab/base/clock.hpp"
#include "muonlab/base/cpu.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/log.hpp"
#include "muonlab/base/terminal.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/base/usage_error.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/data/corpus.hpp"
#include "muonlab/data/tokenize.hpp"
#include "muonlab/data/tokenizer_training.hpp"

namespace muonlab::app {
namespace {

// A bar that begins with the first report and can be told to end.
class Bar {
 public:
  explicit Bar(std::string label) : label_(std::move(label)) {}
  void set(uint64_t done, uint64_t total) {
    if (!bar_) bar_.emplace(label_, total, "B");
    bar_->set(done);
  }
  void finish() {
    if (bar_) bar_->finish();
    bar_.reset();
  }

 private:
  std::string label_;
  std::optional<base::ProgressBar> bar_;
};

constexpr const char* kFilesHelp =
    "text and JSON files (.txt .jsonl .ndjson .json, also with .gz or .zst), or folders of them";

// How text is taken from FILES.
void add_read_options(CLI::App& command, data::ReadOptions& read) {
  command
      .add_option("--field", read.field,
                  "the string to read from a JSON object; data.text: text in the object data")
      ->type_name("NAME")
      ->capture_default_str()
      ->group("Text");
  command
      .add_flag("--skip-bad-lines", read.skip_bad_lines,
                "leave out and list JSON lines without text instead of stopping")
      ->group("Text");
}

// Files and lines that were not read, on standard error.
void tell_left_out(const std::vector<std::string>& files, const data::BadLines& lines) {
  if (!files.empty()) {
    constexpr size_t kShown = 10;
    const std::span<const std::string> shown(files.data(), std::min(files.size(), kShown));
    base::log_warning(
        files.size(), files.size() == 1 ? " file of the folders was" : " files of the folders were",
        " not read, since the name ends in nothing known: ", base::join(shown, ", "),
        shown.size() < files.size() ? ", …" : "", ". A file that is named itself is read as text");
  }
  if (lines.count == 0) return;
  base::log_warning(base::with_commas(lines.count),
                    lines.count == 1 ? " bad line was left out:" : " bad lines were left out:");
  for (const std::string& line : lines.shown) base::log_warning("  ", line);
  if (lines.count > std::ssize(lines.shown))
    base::log_warning("  … and ", base::with_commas(lines.count - std::ssize(lines.shown)),
                      " more");
}

// "\n", "\t" and "\\" as a shell's single quotes leave them.
std::string unescaped(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const size_t code = text[i] == '\\' && i + 1 < text.size()
                            ? std::string_view("nt\\").find(text[i + 1])
                            : std::string_view::npos;
    out += code == std::string_view::npos ? text[i] : "\n\t\\"[code];
    i += code != std::string_view::npos;
  }
  return out;
}

std::string totals_text(const data::ShardTotals& totals) {
  const auto counted = [](uint64_t count, const char* noun) {
    return base::str(base::with_commas(static_cast<int64_t>(count)), " ", noun,
                     count == 1 ? "" : "s");
  };
  return base::str(
      base::human_count(static_cast<double>(totals.num_tokens)), " tokens, ",
      counted(totals.num_documents, "document"), ", ", counted(totals.shards.size(), "shard"), ", ",
      base::fixed(static_cast<double>(totals.text_bytes) / static_cast<double>(totals.num_tokens),
                  2),
      " bytes a token");
}

void add_tokenizer(CLI::App& data) {
  CLI::App* command =
      data.add_subcommand("tokenizer", R"(Train a sentencepiece tokenizer on text files.

  muonlab data tokenizer books.model books/ --vocabulary 4096
  muonlab data tokenizer web.model web.jsonl.zst --field content --type unigram --vocabulary 16384

White space is kept and rare characters become bytes, so every text can be recovered exactly.)");
  struct Options {
    std::string out, type = "bpe";
    std::vector<std::string> files;
    data::ReadOptions read;
    data::TokenizerTraining training;
    bool force = false;
  };
  auto options = std::make_shared<Options>();
  data::TokenizerTraining& training = options->training;
  command->add_option("OUT", options->out, "the .model file to write")->required();
  command->add_option("FILES", options->files, kFilesHelp)->required();
  command
      ->add_option("--vocabulary", training.vocabulary,
                   "pieces, the 256 bytes and end-of-text included")
      ->check(between(259, 16777216))
      ->capture_default_str()
      ->group("Model");
  command->add_option("--type", options->type, "bpe or unigram")
      ->type_name("KIND")
      ->check(CLI::IsMember({"bpe", "unigram"}))
      ->capture_default_str()
      ->group("Model");
  command
      ->add_option("--coverage", training.coverage,
                   "share of characters that become pieces, 0.98 to 1")
      ->check(between(0.98, 1))
      ->capture_default_str()
      ->group("Model");
  command
      ->add_option("--input-sentences", training.input_sentences,
                   "lines to learn from at most, drawn evenly from all; 0: all")
      ->check(at_least(0))
      ->capture_default_str()
      ->group("Text");
  command
      ->add_option("--max-sentence-bytes", training.max_sentence_bytes,
                   "longer lines are cut into sentences of this size")
      ->check(at_least(16))
      ->capture_default_str()
      ->group("Text");
  add_read_options(*command, options->read);
  command->add_flag("--force", options->force, "replace OUT if it is there")->group("Output");
  command->callback([options] {
    if (base::real_file_system().exists(options->out) && !options->force) {
      throw base::Error(options->out, ": is there already; --force replaces it");
    }
    data::TokenizerTraining& training = options->training;
    training.type = options->type == "bpe" ? data::PieceModel::bpe : data::PieceModel::unigram;
    const base::Stopwatch watch;
    Bar bar("reading");
    std::optional<base::LiveLine> learning;
    const data::InputList list = data::list_inputs(options->files);
    data::BadLines bad;
    const std::string model = data::train_tokenizer_on_files(
        list, options->read, training, bad, [&](uint64_t done, uint64_t total) {
          bar.set(done, total);
          if (done < total) return;
          bar.finish();
          learning.emplace();
          learning->update(base::str("learning ", base::with_commas(training.vocabulary),
                                     " pieces; some seconds …"));
        });
    learning.reset();
    tell_left_out(list.left_out, bad);
    const auto tokenizer = data::make_sentencepiece_tokenizer(model, options->out);
    base::make_directories(base::parent_path(options->out));
    base::write_atomically(options->out, model);
    std::cout << options->out << "  " << tokenizer->description() << ", "
              << base::human_bytes(model.size()) << ", " << base::human_duration(watch.seconds())
              << "  hash " << tokenizer->hash() << "\n";
  });
}

void add_tokens(CLI::App& data) {
  CLI::App* command =
      data.add_subcommand("tokens", R"(Turn text files into token shards to train on.

  muonlab data tokens corpus/train books/train --tokenizer books.model
  muonlab data tokens corpus books/ --tokenizer books.model --valid-share 0.05
  muonlab data tokens corpus/bytes notes.txt web.jsonl.gz --tokenizer byte --field data.text

A text file is one document, unless --split-documents-at cuts it into several. A JSON object, on its own line or in an
array, is one document too. Each document is followed by end-of-text. With --valid-share, that share of the documents
goes to OUT/valid for validation, and the others go to OUT/train.)");
  struct Options {
    std::string out, tokenizer, split_at;
    data::TokenizeOptions tokenize;
  };
  auto options = std::make_shared<Options>();
  options->tokenize.threads = base::usable_processors();
  command->add_option("OUT", options->out, "the folder to make")->required();
  command->add_option("FILES", options->tokenize.inputs, kFilesHelp)->required();
  command->add_option("--tokenizer", options->tokenizer, "a .model file, a tokenizer.json, or byte")
      ->type_name("FILE")
      ->required()
      ->group("Text");
  add_read_options(*command, options->tokenize.read);
  command
      ->add_option("--split-documents-at", options->split_at,
                   "a text file's documents end where TEXT stands, as in '<|endoftext|>' or "
                   "'\\n\\n\\n'; TEXT itself is left out")
      ->type_name("TEXT")
      ->group("Text");
  command
      ->add_option("--valid-share", options->tokenize.valid_share,
                   "share of the documents for validation, evenly over all; 0: none")
      ->check(between(0, 0.9))
      ->group("Output");
  command->add_option("--shard-tokens", options->tokenize.shard_tokens, "tokens a shard")
      ->check(at_least(1))
      ->capture_default_str()
      ->group("Output");
  command->add_flag("--force", options->tokenize.force, "replace the shards in OUT")
      ->group("Output");
  command
      ->add_option("--threads", options->tokenize.threads,
                   "threads; the result does not depend on them")
      ->check(between(1, 1024))
      ->capture_default_str()
      ->group("Speed");
  command->callback([options] {
    const auto tokenizer = data::load_tokenizer(options->tokenizer);
    options->tokenize.read.split_at = unescaped(options->split_at);
    const base::Stopwatch watch;
    Bar bar("tokens");
    const data::TokenizeResult result = data::tokenize_files(
        *tokenizer, options->out, options->tokenize,
        [&](uint64_t done, uint64_t total, uint64_t) { bar.set(done, total); });
    bar.finish();
    tell_left_out(result.left_out, result.bad_lines);
    if (!options->split_at.empty() && result.num_splits == 0)
      base::log_warning("--split-documents-at: no text file holds that text; each is one document");
    const double seconds = std::max(1e-3, watch.seconds());
    const uint64_t num_tokens = result.num_tokens + (result.valid ? result.valid->num_tokens : 0);
    std::cout << options->out << (result.valid ? "/train  " : "  ") << totals_text(result) << "\n";
    if (result.valid) std::cout << options->out << "/valid  " << totals_text(*result.valid) << "\n";
    std::cout << tokenizer->description() << "; " << base::human_duration(seconds) << ", "
              << base::human_count(static_cast<double>(num_tokens) / seconds) << " tokens/s\n";
  });
}

void add_samples(CLI::App& data) {
  CLI::App* command =
      data.add_subcommand("samples", R"(Print the samples that training will see, as JSON lines.

  muonlab data samples configs/quickstart.json --from 0 --count 4 --text
  muonlab data samples my.json --from 3200 --count 32 --set seed=2 > step-100.jsonl

Sample i of batch size b belongs to step i / b + 1. A line holds "sample", "tokens" (context + 1 ids) and, with --text,
"text".)");
  struct Options {
    std::string config;
    std::vector<std::string> settings;
    int64_t from = 0, count = 1;
    bool text = false, valid = false;
  };
  auto options = std::make_shared<Options>();
  command->add_option("CONFIG", options->config, "a configuration file")->required();
  command->add_option("--from", options->from, "first global sample index")
      ->check(at_least(0))
      ->capture_default_str();
  command->add_option("--count", options->count, "how many")
      ->check(at_least(0))
      ->capture_default_str();
  command->add_flag("--text", options->text, "the text as well (a cut character shows as U+FFFD)");
  command->add_flag("--valid", options->valid, "validation windows, in their order");
  command
      ->add_option("--set", options->settings, "override one setting of the file; may be repeated")
      ->type_name("PATH=VALUE")
      ->allow_extra_args(false);
  command->callback([options] {
    const config::RunConfig run =
        config::load_config(find_installed(options->config), options->settings).run;
    const data::Dataset dataset = data::open_dataset(run.data, run.model.context, run.seed);
    const data::Corpus& corpus = options->valid ? *dataset.valid : *dataset.train;
    if (options->valid && options->from + options->count > corpus.samples_per_epoch()) {
      throw base::UsageError("there are only ", base::with_commas(corpus.samples_per_epoch()),
                             " validation windows; lower --from or --count");
    }
    std::vector<int32_t> ids(static_cast<size_t>(run.model.context) + 1);
    for (int64_t i = options->from; i < options->from + options->count; ++i) {
      if (options->valid) {
        corpus.window(i, ids);
      } else {
        corpus.sample(i, ids);
      }
      nlohmann::ordered_json line{{"sample", i}, {"tokens", ids}};
      if (options->text) line["text"] = dataset.tokenizer->decode(ids);
      std::cout << line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
    }
  });
}

}  // namespace

void add_data(CLI::App& app, Exit&) {
  CLI::App* command = app.add_subcommand(
      "data", R"(Turn text into tokens: train tokenizers, make token shards, show samples.

  muonlab data tokenizer books.model books/ --vocabulary 4096
  muonlab data tokens corpus/train books/ --tokenizer books.model)");
  command->require_subcommand(1);
  add_tokenizer(*command);
  add_tokens(*command);
  add_data_inspect(*command);
  add_samples(*command);
}

}  // namespace muonlab::app
