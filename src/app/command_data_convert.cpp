// muonlab data convert: token files in other layouts.
#include <algorithm>
#include <iostream>
#include <memory>

#include "commands.hpp"
#include "json_result.hpp"
#include "muonlab/base/terminal.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/data/convert.hpp"

namespace muonlab::app {

void add_data_convert(CLI::App& data) {
  CLI::App* command = data.add_subcommand(
      "convert", R"(Write token files in the layout of another program, or theirs as shards.

  muonlab data convert train.bin corpus/train --to llm.c
  muonlab data convert corpus/train fineweb_train_000001.bin --to muonlab --tokenizer gpt2/tokenizer.json

The ids of all files come one after the other into one file. OUT is never written over.)");
  struct Options {
    std::string out, layout, tokenizer, format;
    std::vector<std::string> inputs;
    int64_t vocabulary = 0, end_of_text = -1;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  command
      ->add_option("OUT", options->out,
                   "the file to write; a folder for muonlab; without .bin and .idx for megatron")
      ->required();
  command
      ->add_option("FILES", options->inputs, "token files of any known layout, or folders of them")
      ->required();
  command->add_option("--to", options->layout, base::join(data::token_layout_names(), ", "))
      ->type_name("LAYOUT")
      ->required()
      ->check(CLI::IsMember(data::token_layout_names()));
  command
      ->add_option("--tokenizer", options->tokenizer,
                   "the tokenizer of the ids, where none lies beside the files")
      ->type_name("FILE");
  command
      ->add_option("--format", options->format,
                   "ids of files without a header, as nanoGPT writes them")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"uint16", "uint32"}));
  command->add_option("--vocabulary", options->vocabulary, "number of ids, without a tokenizer")
      ->check(at_least(1));
  command->add_option("--end-of-text", options->end_of_text, "id between documents, likewise")
      ->check(at_least(0));
  add_json(*command, options->json);
  command->callback([options] {
    const JsonResult result(options->json);
    data::TokenFileOptions token_file;
    if (!options->format.empty()) token_file.id_bytes = options->format == "uint16" ? 2 : 4;
    if (options->vocabulary > 0) token_file.vocabulary = options->vocabulary;
    if (options->end_of_text >= 0) token_file.end_of_text = options->end_of_text;
    if (!options->tokenizer.empty())
      token_file.tokenizer = data::load_tokenizer(options->tokenizer);
    const std::vector<std::string>& names = data::token_layout_names();
    const auto layout = static_cast<data::TokenLayout>(
        std::find(names.begin(), names.end(), options->layout) - names.begin());
    std::unique_ptr<base::ProgressBar> bar;
    const data::Converted converted = data::convert_tokens(
        options->inputs, token_file, layout, options->out, [&](uint64_t done, uint64_t total) {
          if (!bar) bar = std::make_unique<base::ProgressBar>("ids", total, "tokens");
          bar->set(done);
        });
    if (bar) bar->finish();
    for (const std::string& file : converted.files) std::cout << file << "\n";
    std::cout << base::with_commas(static_cast<int64_t>(converted.num_tokens)) << " tokens, "
              << base::with_commas(static_cast<int64_t>(converted.num_documents)) << " documents\n";
    if (result.wanted()) {
      result.print({{"files", converted.files},
                    {"tokens", converted.num_tokens},
                    {"documents", converted.num_documents}});
    }
  });
}

}  // namespace muonlab::app
