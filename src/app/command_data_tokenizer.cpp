// muonlab data tokenizer: a vocabulary learned from text.
#include <iostream>
#include <memory>
#include <optional>

#include "commands.hpp"
#include "json_result.hpp"
#include "muonlab/base/clock.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/terminal.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/base/usage_error.hpp"
#include "muonlab/data/tokenizer.hpp"
#include "muonlab/data/tokenizer_training.hpp"
#include "read_inputs.hpp"

namespace muonlab::app {

void add_data_tokenizer(CLI::App& data) {
  CLI::App* command = data.add_subcommand("tokenizer", R"(Train a tokenizer on text files.

  muonlab data tokenizer books.model books/ --vocabulary 4096
  muonlab data tokenizer web.model web.jsonl.zst --field content --kind unigram --vocabulary 16384
  muonlab data tokenizer books/tokenizer.json books/ --kind byte_bpe --vocabulary 8192

bpe and unigram make a sentencepiece model. byte_bpe makes a tokenizer.json as GPT-2's, with the merges that Hugging
Face's tokenizers library learns. White space is kept and rare characters become bytes, so every text can be recovered
exactly.)");
  struct Options {
    std::string out, type = "bpe";
    std::vector<std::string> files;
    data::ReadOptions read;
    data::TokenizerTraining training;
    bool force = false, json = false;
  };
  auto options = std::make_shared<Options>();
  data::TokenizerTraining& training = options->training;
  command->add_option("OUT", options->out, "the .model file to write; for byte_bpe a .json file")
      ->required();
  command->add_option("FILES", options->files, kFilesHelp)->required();
  command
      ->add_option("--vocabulary", training.vocabulary,
                   "pieces, the 256 bytes and end-of-text included")
      ->check(between(259, 16777216))
      ->capture_default_str()
      ->group("Model");
  command->add_option("--kind,--type", options->type, "bpe, unigram or byte_bpe")
      ->type_name("KIND")
      ->check(CLI::IsMember({"bpe", "unigram", "byte_bpe"}))
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
  add_json(*command, options->json);
  command->callback([options, command] {
    const JsonResult answer(options->json);
    if (base::real_file_system().exists(options->out) && !options->force) {
      throw base::Error(options->out, ": is there already; --force replaces it");
    }
    const bool byte_bpe = options->type == "byte_bpe";
    if (byte_bpe != options->out.ends_with(".json")) {
      throw base::UsageError(options->out,
                             ": byte_bpe makes a tokenizer.json, so OUT ends in .json; ",
                             "bpe and unigram make a sentencepiece model, whose name does not");
    }
    for (const char* name : {"--coverage", "--input-sentences", "--max-sentence-bytes"}) {
      if (byte_bpe && command->count(name) > 0)
        throw base::UsageError(name,
                               " is for sentencepiece models; byte_bpe learns from all bytes of "
                               "all texts");
    }
    data::TokenizerTraining& training = options->training;
    training.type = options->type == "bpe" ? data::PieceModel::bpe : data::PieceModel::unigram;
    const base::Stopwatch watch;
    Bar bar("reading");
    std::optional<base::LiveLine> learning;
    const data::InputList list = data::list_inputs(options->files);
    data::BadLines bad;
    const auto progress = [&](uint64_t done, uint64_t total) {
      bar.set(done, total);
      if (done < total) return;
      bar.finish();
      learning.emplace();
      learning->update(base::str("learning ", base::with_commas(training.vocabulary),
                                 " pieces; some seconds …"));
    };
    const std::string model =
        byte_bpe ? data::train_byte_bpe_on_files(list, options->read, training, bad, progress)
                 : data::train_tokenizer_on_files(list, options->read, training, bad, progress);
    learning.reset();
    tell_left_out(list.left_out, bad);
    const auto tokenizer =
        byte_bpe ? data::make_json_tokenizer(model, std::string(data::kEndOfText), options->out)
                 : data::make_sentencepiece_tokenizer(model, options->out);
    base::make_directories(base::parent_path(options->out));
    base::write_atomically(options->out, model);
    std::cout << options->out << "  " << tokenizer->description() << ", "
              << base::human_bytes(model.size()) << ", " << base::human_duration(watch.seconds())
              << "  hash " << tokenizer->hash() << "\n";
    if (answer.wanted()) {
      answer.print({{"path", options->out},
                    {"vocabulary", tokenizer->vocabulary()},
                    {"hash", tokenizer->hash()}});
    }
  });
}

}  // namespace muonlab::app
