#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <random>

#include "data/random_text.hpp"
#include "data/scratch_folder.hpp"
#include "data/unicode.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/data/corpus.hpp"
#include "muonlab/data/shard.hpp"
#include "muonlab/data/tokenize.hpp"
#include "muonlab/data/tokenizer.hpp"

namespace muonlab::data {
namespace {

using Json = nlohmann::json;

// What the tokenizers library gave (scripts/make_tokenizer_goldens.py).
const Json& golden_families() {
  static const Json families =
      Json::parse(base::read_text(MUONLAB_SOURCE_DIR "/tests/golden/tokenizer_json.json"));
  return families;
}

Json golden(const std::string& name) {
  for (const Json& family : golden_families()) {
    if (family["name"] == name) return family;
  }
  throw std::runtime_error("no such family");
}

std::shared_ptr<const Tokenizer> make(const Json& tokenizer, const std::string& end = "") {
  return make_json_tokenizer(tokenizer.dump(), end, "t.json");
}

std::string refusal(const Json& tokenizer) {
  try {
    make(tokenizer);
  } catch (const base::Error& error) {
    return error.what();
  }
  return "";
}

TEST(TokenizerJson, GivesTheIdsOfTheTokenizersLibrary) {
  ASSERT_EQ(golden_families().size(), 7u);
  for (const Json& family : golden_families()) {
    const auto tokenizer = make(family["tokenizer"]);
    ASSERT_GT(family["cases"].size(), 50u);
    for (const Json& row : family["cases"]) {
      EXPECT_EQ(Json(tokenizer->encode(row["text"].get<std::string>())), row["ids"])
          << family["name"] << " " << row["text"];
    }
  }
}

TEST(TokenizerJson, GivesEveryTextBack) {
  std::mt19937 random(5);
  for (const char* name : {"gpt2", "llama3", "llama4", "smollm2", "deepseek"}) {
    const auto tokenizer = make(golden(name)["tokenizer"]);
    for (int round = 0; round < 500; ++round) {
      const std::string text = round % 2 == 0 ? random_bytes(random, random() % 200)
                                              : random_utf8(random, random() % 30);
      EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text) << name;
    }
  }
  const auto normalising = make(golden("qwen3")["tokenizer"]);
  EXPECT_EQ(normalising->decode(normalising->encode("cafe\u0301 a\u0307\u0323 \u1100\u1161\u11a8")),
            "caf\u00e9 \u1ea1\u0307 \uac01");
}

// Text and what may follow it, cut where the tokenizer says that it may.
TEST(TokenizerJson, TextMayBeCutWhereItSaysSo) {
  std::mt19937 random(7);
  const std::vector<std::string> parts = {"a",  "word",   "7",       "\n",     "\n", "\n",
                                          " ",  ".",      "\r",      "'s",     "/",  "é",
                                          "漢", "<mask>", "<think>", "\u0301", "B"};
  for (const Json& family : golden_families()) {
    const auto tokenizer = make(family["tokenizer"]);
    int cuts = 0;
    for (int round = 0; round < 3000; ++round) {
      std::string text;
      for (size_t i = 0; i < 30; ++i) text += parts[random() % parts.size()];
      const size_t cut =
          tokenizer->last_safe_cut(std::string_view(text).substr(0, text.size() / 2));
      if (cut == 0) continue;
      ++cuts;
      auto ids = tokenizer->encode(text.substr(0, cut));
      const auto rest = tokenizer->encode(text.substr(cut));
      ids.insert(ids.end(), rest.begin(), rest.end());
      EXPECT_EQ(ids, tokenizer->encode(text)) << family["name"] << " " << text;
    }
    EXPECT_GT(cuts, 300) << family["name"];
  }
}

TEST(TokenizerJson, OfAPatternThatIsNotKnownTextIsNotCut) {
  Json file = golden("llama3")["tokenizer"];
  file["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = "\\S+\\n\\S+|\\s+|\\S+";
  const auto tokenizer = make(file);
  EXPECT_EQ(tokenizer->last_safe_cut("word\nword\nword"), 0u);
}

TEST(TokenizerJson, NoTextMakesASpecialToken) {
  const auto tokenizer = make(golden("gpt2")["tokenizer"]);
  EXPECT_EQ(tokenizer->end_of_text(), 0);
  for (const int32_t id : tokenizer->encode("a<|endoftext|>b")) EXPECT_NE(id, 0);
  EXPECT_EQ(tokenizer->decode(std::vector<int32_t>{0}), kEndOfText);
}

TEST(TokenizerJson, TheEndOfTextIsTheOneAskedForOrAWellKnownOne) {
  Json file = golden("qwen3")["tokenizer"];
  const int32_t think = make(file, "<think>")->end_of_text();
  EXPECT_EQ(Json(think), file["added_tokens"][1]["id"]);
  for (const int32_t id : make(file, "<think>")->encode("a<think>b")) EXPECT_NE(id, think);
  const auto missing = [&] { make(file, "<nothing>"); };
  EXPECT_THROW(missing(), base::Error);
  file["added_tokens"] = Json::array();
  file["model"]["vocab"].erase("<|endoftext|>");
  EXPECT_NE(
      refusal(file).find("no token of it is known to end a text; put a tokenizer_config.json"),
      std::string::npos)
      << refusal(file);
}

TEST(TokenizerJson, WhatIsNotSupportedIsNamed) {
  const Json good = golden("llama3")["tokenizer"];
  ASSERT_EQ(refusal(good), "");
  struct Case {
    const char* path;
    const char* value;
    const char* named;
  };
  const Case cases[] = {
      {"/model/type", R"("WordPiece")", "the type of its model is \"WordPiece\""},
      {"/model/type", R"("Unigram")", "\"Unigram\", which muonlab does not support"},
      {"/model/dropout", "0.1", "dropout"},
      {"/model/end_of_word_suffix", R"("</w>")", "end_of_word_suffix \"</w>\""},
      {"/model/continuing_subword_prefix", R"("##")", "continuing_subword_prefix"},
      {"/model/byte_fallback", "true", "byte_fallback"},
      {"/normalizer", R"({"type":"Lowercase"})", "its normalizer is Lowercase"},
      {"/normalizer", R"({"type":"Sequence","normalizers":[{"type":"NFKC"}]})", "NFKC"},
      {"/pre_tokenizer", R"({"type":"Metaspace"})", "its pre_tokenizer is Metaspace"},
      {"/pre_tokenizer", "null", "none of kind ByteLevel"},
      {"/pre_tokenizer", R"({"type":"ByteLevel","add_prefix_space":true})", "add_prefix_space"},
      {"/pre_tokenizer/pretokenizers/0/behavior", R"("Removed")", "behavior \"Removed\""},
      {"/pre_tokenizer/pretokenizers/0/pattern", R"({"Regex":"\\p{Han}+"})", "\\p{Han}"},
      {"/pre_tokenizer/pretokenizers/0/pattern", R"({"Regex":"(ab)+"})", "a repeated group"},
      {"/pre_tokenizer/pretokenizers/0/pattern", R"({"Regex":"\\bword"})", "\"\\b\""},
      {"/pre_tokenizer/pretokenizers/0/pattern", R"({"Regex":"(?<=a)b"})", "(?<="},
      {"/pre_tokenizer/pretokenizers/0/pattern", R"({"Regex":"a+?"})", "lazy"},
      {"/pre_tokenizer/pretokenizers/0/pattern", R"({"Regex":"[a"})", "an end where"},
      {"/decoder", R"({"type":"Metaspace"})", "its decoder is Metaspace"},
      {"/added_tokens/0/single_word", "true", "single_word"},
      {"/added_tokens/0/id", "7", "has the id 7, but 0 in its vocab"},
      {"/added_tokens/0/id", "-1", "is not a number from 0"},
      {"/added_tokens/0/content", "\"\"", "has no content"},
      {"/model/vocab/A", "99999999999", "the id of \"A\""},
      {"/model/vocab/A", "1", "two tokens of its vocab have the id 1"},
      {"/model/vocab", "[]", "its model has no vocab"},
      {"/model/merges", "null", "its model has no merges"},
      {"/model/merges/0", R"("a")", "merge 0, \"a\", is not two tokens"},
      {"/model/merges/0", R"(["a"])", "merge 0 is not two tokens"},
      {"/model/merges/0", R"(["a","nowhere"])", "which its vocab lacks"},
      {"/model", "7", "it has no model"},
  };
  for (const Case& wrong : cases) {
    Json file = good;
    file[Json::json_pointer(wrong.path)] = Json::parse(wrong.value);
    const std::string message = refusal(file);
    EXPECT_NE(message.find(wrong.named), std::string::npos) << wrong.path << " " << message;
    EXPECT_EQ(message.find("t.json: "), 0u) << message;
  }
  Json without_byte = good;
  without_byte["model"]["vocab"].erase("A");
  EXPECT_NE(refusal(without_byte).find("lacks the token A for the byte 65"), std::string::npos);
  EXPECT_THROW(make_json_tokenizer("{\"model\":", "", "t.json"), base::Error);
}

TEST(TokenizerJson, AFolderOfShardsAndItsCopyHoldTheSameTokenizer) {
  const ScratchFolder scratch("tokenizer_json");
  const Json family = golden("llama3");
  const Json& file = family["tokenizer"];
  scratch.write("model/tokenizer.json", file.dump(2));
  scratch.write("model/tokenizer_config.json", R"({"eos_token": {"content": "<|endoftext|>"}})");
  const auto tokenizer = load_tokenizer(scratch / "model/tokenizer.json");
  // Whatever would add ids to a text or cut it is gone from what a checkpoint carries.
  EXPECT_TRUE(Json::parse(tokenizer->files().at("tokenizer.json"))["post_processor"].is_null());

  std::string text;
  for (const Json& row : family["cases"]) text += row["text"].get<std::string>() + "word\n";
  std::string large;
  while (large.size() < (3 << 20)) large += text;
  TokenizeOptions options;
  options.inputs = {scratch.write("a.txt", large), scratch.write("b.txt", text)};
  options.valid_share = 0.5;
  options.threads = 2;
  tokenize_files(*tokenizer, scratch / "out", options);
  const auto beside = find_tokenizer(scratch / "out/train");
  ASSERT_TRUE(beside);
  EXPECT_EQ(beside->hash(), tokenizer->hash());

  config::ShardsConfig config;
  config.train = {scratch / "out/train"};
  config.valid = {scratch / "out/valid"};
  const Dataset dataset = open_dataset(config, 64, 1);
  EXPECT_EQ(dataset.tokenizer->hash(), tokenizer->hash());
  const Shard shard(scratch / "out/valid/shard-00000.tokens");
  std::vector<int32_t> ids(static_cast<size_t>(shard.num_tokens()));
  shard.read(0, ids);
  auto expected = tokenizer->encode(large);
  expected.push_back(tokenizer->end_of_text());
  ASSERT_EQ(ids.size(), expected.size());
  EXPECT_TRUE(ids == expected);
}

TEST(Nfc, OfWhatNeedsIt) {
  EXPECT_FALSE(may_change_by_nfc("plain é ü 漢字 \u0250"));
  EXPECT_EQ(nfc("e\u0301"), "\u00e9");
  EXPECT_EQ(nfc("e\u0323\u0302"), "\u1ec7");
  EXPECT_EQ(nfc("e\u0302\u0323"), "\u1ec7");
  EXPECT_EQ(nfc("\u212b"), "\u00c5");              // a singleton
  EXPECT_EQ(nfc("\u0958"), "\u0915\u093c");        // excluded from composition
  EXPECT_EQ(nfc("\u1112\u1161\u11ab"), "\ud55c");  // Hangul
  EXPECT_EQ(nfc("\u0344"), "\u0308\u0301");
}

}  // namespace
}  // namespace muonlab::data
