// muonlab data inspect: what token shards hold.
#include <algorithm>
#include <iostream>
#include <memory>

#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "json_result.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/base/text_table.hpp"
#include "muonlab/data/shard.hpp"
#include "muonlab/data/tokenizer.hpp"
#include "muonlab/record/json_lines.hpp"

namespace muonlab::app {
namespace {

struct InspectOptions {
  std::vector<std::string> shards;
  std::string tokenizer;
  bool verify = false, json = false;
  int64_t show = 32;
};

// The tokenizer that made a shard, if it can be found.
std::shared_ptr<const data::Tokenizer> tokenizer_of(const data::Shard& shard,
                                                    const std::string& given) {
  if (!given.empty()) return data::load_tokenizer(given);
  const std::string hash = shard.header().tokenizer_hash.hex();
  auto bytes = data::make_byte_tokenizer();
  if (bytes->hash() == hash) return bytes;
  return data::find_tokenizer(base::parent_path(shard.path()));
}

// What is known of a shard, printed as a table and kept for --json.
nlohmann::ordered_json inspect(const std::string& path, const InspectOptions& options) {
  data::TokenFileOptions token_file;
  if (!options.tokenizer.empty()) token_file.tokenizer = data::load_tokenizer(options.tokenizer);
  const data::Shard shard = data::Shard::open(path, token_file);
  const data::ShardHeader& header = shard.header();
  const std::string made_with =
      header.tokenizer_hash == base::Hash128{} ? "" : header.tokenizer_hash.hex();
  std::vector<int32_t> ids(static_cast<size_t>(std::min(options.show, shard.num_tokens())));
  shard.read(0, ids);
  nlohmann::ordered_json json{{"path", path},
                              {"format", shard.format()},
                              {"tokens", header.num_tokens},
                              {"id_bytes", header.id_bytes},
                              {"documents", header.num_documents},
                              {"text_bytes", header.text_bytes},
                              {"vocabulary", header.vocabulary},
                              {"end_of_text", header.end_of_text},
                              {"tokenizer", made_with},
                              {"content", header.content_hash.hex()},
                              {"ids", ids}};
  base::TextTable table({{""}, {"", base::TextColumn::Kind::prose}});
  const auto row = [&table](const char* name, const std::string& value) {
    table.add_row({name, value});
  };
  const auto number = [](uint64_t value) { return base::with_commas(static_cast<int64_t>(value)); };
  std::cout << path << "\n";
  if (shard.format() != "muonlab") row("format", shard.format());
  row("tokens", base::str(number(header.num_tokens), " of ", header.id_bytes, " bytes"));
  row("documents", number(header.num_documents));
  if (header.text_bytes > 0) row("text", base::str(number(header.text_bytes), " bytes"));
  row("vocabulary", base::str(number(header.vocabulary), ", end-of-text ", header.end_of_text));
  row("tokenizer", made_with.empty() ? "none" : made_with);
  row("content", header.content_hash.hex());
  const auto tokenizer = tokenizer_of(shard, options.tokenizer);
  if (!tokenizer) {
    row("begins", nlohmann::json(ids).dump() + "  (no tokenizer next to the shard to show text)");
  } else if (tokenizer->hash() != header.tokenizer_hash.hex()) {
    row("begins",
        nlohmann::json(ids).dump() + "  (made with another tokenizer than the one at hand)");
  } else {
    json["text"] = tokenizer->decode_start(ids);
    row("begins", record::json_text(nlohmann::json(tokenizer->decode_start(ids))));
  }
  constexpr size_t kIndent = 2;
  std::cout << table.text(base::table_width(), kIndent);
  if (!options.verify) return json;
  shard.verify_content();
  json["verified"] = true;
  std::cout << std::string(kIndent, ' ') << "verified    content matches its hash\n";
  return json;
}

}  // namespace

void add_data_inspect(CLI::App& data) {
  CLI::App* command =
      data.add_subcommand("inspect", R"(Show what token shards hold. The header is always checked.

  muonlab data inspect corpus/train
  muonlab data inspect corpus/train/*.tokens --verify)");
  auto options = std::make_shared<InspectOptions>();
  command->add_option("SHARDS", options->shards, "shard files, or folders of them")->required();
  command->add_flag("--verify", options->verify, "read everything and check the content hash");
  command->add_option("--show", options->show, "tokens to show from the beginning")
      ->check(at_least(0))
      ->capture_default_str();
  command
      ->add_option("--tokenizer", options->tokenizer,
                   "a .model or tokenizer.json to decode with; default: the one next to the shard")
      ->type_name("FILE");
  add_json(*command, options->json);
  command->callback([options] {
    const JsonResult result(options->json);
    nlohmann::ordered_json files = nlohmann::ordered_json::array();
    for (const std::string& path : options->shards) {
      for (const std::string& shard : data::shard_paths(path))
        files.push_back(inspect(shard, *options));
    }
    if (result.wanted()) result.print({{"files", files}});
  });
}

}  // namespace muonlab::app
