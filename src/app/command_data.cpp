// muonlab data: tokenizers, token shards, and what training will see of them.
#include <algorithm>
#include <iostream>
#include <memory>

#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "installed.hpp"
#include "json_result.hpp"
#include "muonlab/base/clock.hpp"
#include "muonlab/base/cpu.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/log.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/base/usage_error.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/data/corpus.hpp"
#include "muonlab/data/tokenize.hpp"
#include "read_inputs.hpp"

namespace muonlab::app {
namespace {

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

void tell_dropped(const data::TokenizeResult& result) {
  for (const auto& [count, why] : {std::pair{result.num_too_short, "too short"},
                                   {result.num_too_long, "too long"},
                                   {result.num_repeated, "the same as an earlier one"}}) {
    if (count == 0) continue;
    std::cout << "left out  " << base::with_commas(static_cast<int64_t>(count))
              << (count == 1 ? " document, " : " documents, ") << why << "\n";
  }
}

nlohmann::ordered_json totals_json(const std::string& path, const data::ShardTotals& totals) {
  return {{"path", path},
          {"tokens", totals.num_tokens},
          {"documents", totals.num_documents},
          {"shards", totals.shards.size()},
          {"text_bytes", totals.text_bytes}};
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
    bool json = false;
    data::TokenizeOptions tokenize;
  };
  auto options = std::make_shared<Options>();
  options->tokenize.threads = base::usable_processors();
  command->add_option("OUT", options->out, "the folder to make")->required();
  command->add_option("FILES", options->tokenize.inputs, kFilesHelp)->required();
  command
      ->add_option("--tokenizer", options->tokenizer,
                   "a .model or .tiktoken file, a tokenizer.json, or byte")
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
      ->add_option("--min-bytes", options->tokenize.min_bytes,
                   "leave out documents with less text than this")
      ->type_name("N")
      ->group("Text");
  command
      ->add_option(
          "--max-bytes", options->tokenize.max_bytes,
          "leave out documents with more text than this; such documents are held in memory")
      ->type_name("N")
      ->group("Text");
  command
      ->add_flag("--deduplicate", options->tokenize.deduplicate,
                 "of documents with the same text keep the first one")
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
  add_json(*command, options->json);
  command->callback([options] {
    const JsonResult answer(options->json);
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
    tell_dropped(result);
    const double seconds = std::max(1e-3, watch.seconds());
    const uint64_t num_tokens = result.num_tokens + (result.valid ? result.valid->num_tokens : 0);
    std::cout << options->out << (result.valid ? "/train  " : "  ") << totals_text(result) << "\n";
    if (result.valid) std::cout << options->out << "/valid  " << totals_text(*result.valid) << "\n";
    std::cout << tokenizer->description() << "; " << base::human_duration(seconds) << ", "
              << base::human_count(static_cast<double>(num_tokens) / seconds) << " tokens/s\n";
    if (!answer.wanted()) return;
    nlohmann::ordered_json json = totals_json(options->out, result);
    if (result.valid) {
      json["path"] = base::join_path(options->out, "train");
      json["valid"] = totals_json(base::join_path(options->out, "valid"), *result.valid);
    }
    json["too_short"] = result.num_too_short;
    json["too_long"] = result.num_too_long;
    json["repeated"] = result.num_repeated;
    answer.print(json);
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
  add_data_tokenizer(*command);
  add_tokens(*command);
  add_data_inspect(*command);
  add_data_convert(*command);
  add_samples(*command);
}

}  // namespace muonlab::app
