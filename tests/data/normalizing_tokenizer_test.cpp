// Sentencepiece models that add a space before a text, remove spaces or change characters: their
// ids are those of sentencepiece itself.
#include <gtest/gtest.h>
#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <nlohmann/json.hpp>
#include <random>
#include <unordered_map>

#include "data/character_map.hpp"
#include "data/random_text.hpp"
#include "data/scratch_folder.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/data/documents.hpp"
#include "muonlab/data/shard.hpp"
#include "muonlab/data/tokenize.hpp"
#include "muonlab/data/tokenizer.hpp"

namespace muonlab::data {
namespace {

std::string random_sentence(std::mt19937& random) {
  static const char* const kWords[] = {
      "whale", "sea", "captain",    "the",   "of",     "and",        "ship", "\uFB01n",
      "don't", "ﾊﾟ",  "cafe\u0301", "naïve", "語る",   "\U0001F642", "1234", "\u2581",
      "<s>",   "@@",  "</s>",       "½",     "<0x0A>", "\u00A0",     "x",    "\u0301"};
  static const char* const kSpaces[] = {" ", " ", " ", "  ", "     ", "\n", "\n\n", "\t", ""};
  std::string text;
  for (int i = 0; i < 12; ++i) {
    text += kSpaces[random() % std::size(kSpaces)];
    text += kWords[random() % std::size(kWords)];
  }
  return text + kSpaces[random() % std::size(kSpaces)];
}

using Settings = std::unordered_map<std::string, std::string>;

// As Llama 2's where `settings` say nothing else.
std::string trained(Settings settings) {
  std::mt19937 random(3);
  std::vector<std::string> sentences;
  for (int i = 0; i < 400; ++i) sentences.push_back(random_sentence(random));
  settings.merge(Settings{{"model_type", "bpe"},
                          {"vocab_size", "400"},
                          {"byte_fallback", "true"},
                          {"normalization_rule_name", "identity"},
                          {"remove_extra_whitespaces", "false"},
                          {"allow_whitespace_only_pieces", "true"},
                          {"self_test_sample_size", "3"},
                          {"minloglevel", "3"}});
  std::string model;
  const auto status = sentencepiece::SentencePieceTrainer::Train(settings, sentences, &model);
  EXPECT_TRUE(status.ok()) << status.ToString();
  return model;
}

const std::vector<std::string>& models() {
  const std::pair<const std::string, std::string> removes{"remove_extra_whitespaces", "true"};
  static const std::vector<std::string> all{
      trained({}),
      trained({{"user_defined_symbols", "@@"}}),
      trained({removes}),
      trained({removes, {"add_dummy_prefix", "false"}}),
      trained({removes, {"normalization_rule_name", "nmt_nfkc"}}),
      trained({{"normalization_rule_name", "nfkc_cf"}, {"user_defined_symbols", "@@"}}),
      trained({{"model_type", "unigram"}, {"vocab_size", "320"}})};
  return all;
}

TEST(NormalizingTokenizer, GivesTheIdsAndTextsOfSentencePiece) {
  for (const std::string& model : models()) {
    const auto tokenizer = make_sentencepiece_tokenizer(model, "m.model");
    sentencepiece::SentencePieceProcessor expected;
    ASSERT_TRUE(expected.LoadFromSerializedProto(model).ok());
    EXPECT_EQ(tokenizer->vocabulary(), expected.GetPieceSize());
    EXPECT_EQ(tokenizer->end_of_text(), expected.eos_id());
    std::mt19937 random(4);
    for (int round = 0; round < 400; ++round) {
      const std::string text =
          round % 4 == 0 ? random_utf8(random, random() % 30) : random_sentence(random);
      const std::vector<int> ids = expected.EncodeAsIds(text);
      ASSERT_EQ(tokenizer->encode(text), std::vector<int32_t>(ids.begin(), ids.end())) << text;
      ASSERT_EQ(tokenizer->decode_start(tokenizer->encode(text)), expected.DecodeIds(ids)) << text;
    }
    for (const char* text : {"", " ", "   ", "a", " a", "a ", "\n", "\u2581"})
      EXPECT_EQ(tokenizer->encode(text), expected.EncodeAsIds(text)) << text;
  }
}

TEST(NormalizingTokenizer, EncodesPartsAsTheWhole) {
  for (const std::string& model : models()) {
    const auto tokenizer = make_sentencepiece_tokenizer(model, "m.model");
    std::mt19937 random(5);
    int cuts = 0;
    for (int round = 0; round < 300; ++round) {
      const std::string text = random_sentence(random) + random_sentence(random);
      const size_t cut =
          tokenizer->last_safe_cut(std::string_view(text).substr(0, 1 + random() % text.size()));
      if (cut == 0) continue;
      ++cuts;
      auto ids = tokenizer->encode(std::string_view(text).substr(0, cut));
      const auto rest = tokenizer->encode_rest(std::string_view(text).substr(cut));
      ids.insert(ids.end(), rest.begin(), rest.end());
      ASSERT_EQ(ids, tokenizer->encode(text)) << cut << " of " << text;
    }
    if (&model == &models().back()) {
      EXPECT_EQ(cuts, 0) << "unigram";
    } else {
      EXPECT_GT(cuts, 100);
    }
  }
}

TEST(NormalizingTokenizer, OnlyTheBeginningOfATextGetsASpace) {
  const auto tokenizer = make_sentencepiece_tokenizer(models()[0], "m.model");
  EXPECT_EQ(tokenizer->encode("whale"), tokenizer->encode_rest(" whale"));
  EXPECT_NE(tokenizer->encode("whale"), tokenizer->encode_rest("whale"));
  EXPECT_EQ(tokenizer->decode_start(tokenizer->encode("whale")), "whale");
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("whale")), " whale");
  auto two = tokenizer->encode("the");
  two.push_back(tokenizer->end_of_text());
  for (const int32_t id : tokenizer->encode("sea")) two.push_back(id);
  EXPECT_EQ(tokenizer->decode_start(two), "the<|endoftext|>sea");
  EXPECT_EQ(tokenizer->decode_start(tokenizer->encode(" the")), " the");
}

// U+2581 would come back as a space.
std::string without_symbols(std::string text) {
  for (size_t at; (at = text.find("\u2581")) != text.npos;) text.erase(at, 3);
  return text;
}

// Documents longer than a chunk, documents split out of a text, and JSON lines.
TEST(NormalizingTokenizer, ShardsHoldWhatSentencePieceMakesOfEachDocument) {
  const ScratchFolder folder("normalizing_shards");
  folder.write("m.model", models()[0]);
  const auto tokenizer = load_tokenizer(folder / "m.model");
  sentencepiece::SentencePieceProcessor expected;
  ASSERT_TRUE(expected.LoadFromSerializedProto(models()[0]).ok());
  std::mt19937 random(6);
  std::string text, lines;
  std::vector<int32_t> ids;
  uint64_t text_bytes = 0;
  const auto add = [&](const std::string& document) {
    for (const int id : expected.EncodeAsIds(document)) ids.push_back(id);
    if (!document.empty()) ids.push_back(tokenizer->end_of_text());
    text_bytes += document.size();
  };
  for (const int sentences : {1, 0, 20'000, 2, 3, 1}) {
    std::string document;
    for (int i = 0; i < sentences; ++i) document += without_symbols(random_sentence(random));
    add(document);
    text += (text.empty() ? "" : "|") + document;
  }
  for (int i = 0; i < 50; ++i) {
    const std::string document = without_symbols(random_sentence(random));
    add(document);
    lines += nlohmann::json{{"text", document}}.dump() + "\n";
  }
  TokenizeOptions options;
  options.inputs = {folder.write("a.txt", text), folder.write("b.jsonl", lines)};
  options.read.split_at = "|";
  options.threads = 3;
  options.shard_tokens = 70'001;
  const TokenizeResult result = tokenize_files(*tokenizer, folder / "shards", options);
  EXPECT_GT(result.shards.size(), 3u);
  EXPECT_EQ(result.text_bytes, text_bytes);
  std::vector<int32_t> stored;
  for (const std::string& path : result.shards) {
    const Shard shard = Shard::open(path, {});
    std::vector<int32_t> part(static_cast<size_t>(shard.num_tokens()));
    shard.read(0, part);
    stored.insert(stored.end(), part.begin(), part.end());
  }
  EXPECT_EQ(stored, ids);
  EXPECT_EQ(load_tokenizer(folder / "shards")->hash(), tokenizer->hash());

  // The same documents one by one, from the texts and from the shards.
  TokenFileOptions token_files;
  token_files.tokenizer = tokenizer;
  std::vector<int32_t> from_texts, from_shards;
  each_document(options.inputs, options.read, token_files, [&](const Document& document) {
    from_texts.insert(from_texts.end(), document.ids.begin(), document.ids.end());
  });
  each_document({folder / "shards"}, {}, token_files, [&](const Document& document) {
    from_shards.insert(from_shards.end(), document.ids.begin(), document.ids.end());
  });
  std::erase(stored, tokenizer->end_of_text());
  EXPECT_EQ(from_texts, stored);
  EXPECT_EQ(from_shards, stored);

  // The ids alone, as another program stores them.
  std::string bare;
  for (const int32_t id : ids) {
    bare += static_cast<char>(id & 255);
    bare += static_cast<char>(id >> 8);
  }
  token_files.id_bytes = 2;
  const Shard foreign = Shard::open(folder.write("bare.bin", bare), token_files);
  EXPECT_EQ(foreign.header().text_bytes, text_bytes);
}

TEST(NormalizingTokenizer, ACheckpointHoldsWhatTransformersReadsOnlyWhereItGivesTheSameIds) {
  for (size_t i = 0; i < models().size(); ++i) {
    const ScratchFolder folder("normalizing_files");
    const auto tokenizer = make_sentencepiece_tokenizer(models()[i], "m.model");
    const auto files = tokenizer->files();
    EXPECT_EQ(files.at("tokenizer.model"), models()[i]);
    EXPECT_EQ(files.contains("tokenizer.json"), i < 2) << "not for others than Llama 2's settings";
    for (const auto& [name, bytes] : files) folder.write(name, bytes);
    EXPECT_EQ(load_tokenizer(folder.path())->hash(), tokenizer->hash());
    const auto config = nlohmann::json::parse(files.at("tokenizer_config.json"));
    EXPECT_EQ(config["add_prefix_space"], i != 3);
    EXPECT_EQ(config["eos_token"], "</s>");
  }
}

TEST(NormalizingTokenizer, RefusesWhatItCannotGiveBack) {
  const auto error = [](const Settings& settings) {
    return error_of([&] { make_sentencepiece_tokenizer(trained(settings), "m.model"); });
  };
  EXPECT_NE(
      error({{"byte_fallback", "false"}}).find("m.model: this sentencepiece model has no byte"),
      std::string::npos);
  EXPECT_NE(error({{"eos_id", "-1"}}).find("has no end-of-text id"), std::string::npos);
  EXPECT_NE(
      error({{"model_type", "char"}, {"vocab_size", "330"}}).find("is neither BPE nor unigram"),
      std::string::npos);
}

TEST(CharacterMap, DamageIsRefused) {
  for (const std::string& bytes : {std::string("abc"), std::string(64, '\xFF'),
                                   std::string("\x08\0\0\0\0\x01\0\0\0\0\0\0x\0", 14)}) {
    EXPECT_NE(error_of([&] {
                read_character_map(bytes, "m.model");
              }).find("m.model: the table of characters in this sentencepiece model is damaged"),
              std::string::npos);
  }
  EXPECT_TRUE(read_character_map("", "m.model").empty());
}

}  // namespace
}  // namespace muonlab::data
