// Tokenizer files that are damaged, or made to do harm, end in an Error that names them.
#include <gtest/gtest.h>
#include <sentencepiece_trainer.h>

#include <nlohmann/json.hpp>

#include "data/character_map.hpp"
#include "data/model_proto.hpp"
#include "data/scratch_folder.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/data/tokenizer.hpp"

namespace muonlab::data {
namespace {

using Json = nlohmann::json;

constexpr const char* kDamagedMap =
    "m.model: the table of characters in this sentencepiece model is damaged";

// A model with a table of characters, which it uses while it is loaded: it tests itself.
std::string normalizing_model() {
  std::string model;
  const std::vector<std::string> sentences(50, "the white whale of the sea \uFB01nds ½ a ship");
  const auto status = sentencepiece::SentencePieceTrainer::Train(
      "--model_type=bpe --vocab_size=290 --byte_fallback=true --normalization_rule_name=nmt_nfkc "
      "--self_test_sample_size=3 --minloglevel=3",
      sentences, &model);
  EXPECT_TRUE(status.ok()) << status.ToString();
  return model;
}

TEST(DamagedTokenizer, ATableOfCharactersThatLeavesItsArray) {
  const std::string model = normalizing_model();
  const std::string map = read_model_settings(model, "m.model").character_map;
  ASSERT_GT(map.size(), 1000u);
  const size_t at = model.find(map);
  ASSERT_NE(at, std::string::npos);
  EXPECT_NE(make_sentencepiece_tokenizer(model, "m.model"), nullptr);
  // The first unit of the array, behind its length, says where those of the first bytes are.
  for (const char* unit : {"\x00\xFE\xFF\x7F", "\x00\xFF\xFF\xFF"}) {
    std::string damaged = model;
    damaged.replace(at + 4, 4, unit, 4);
    const std::string error = error_of([&] { make_sentencepiece_tokenizer(damaged, "m.model"); });
    EXPECT_EQ(error.find(kDamagedMap), 0u) << error;
  }
}

std::string map_of(const std::vector<uint32_t>& units, const std::string& texts) {
  std::string bytes;
  const auto append = [&](uint32_t value) {
    for (int i = 0; i < 4; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xFF);
  };
  append(static_cast<uint32_t>(units.size() * 4));
  for (const uint32_t unit : units) append(unit);
  return bytes + texts;
}

TEST(DamagedTokenizer, ATableOfCharactersThatIsNoTree) {
  const auto error = [](const std::vector<uint32_t>& units) {
    return error_of([&] { read_character_map(map_of(units, std::string("x\0", 2)), "m.model"); });
  };
  constexpr uint32_t kEnds = 1u << 8, kValue = 1u << 31;
  // "a" becomes "x": the root's block is the first one, that of "a" the second one.
  std::vector<uint32_t> good(512, kValue);
  good[0] = 1u << 10;
  good[1 ^ 'a'] = ((1 ^ 'a' ^ 256) << 10) | kEnds | 'a';
  good[256] = kValue;
  EXPECT_EQ(error(good), "no error");
  const auto rules = read_character_map(map_of(good, std::string("x\0", 2)), "m.model");
  ASSERT_EQ(rules.size(), 1u);
  EXPECT_EQ(rules[0].from + rules[0].to, "ax");

  std::vector<uint32_t> short_block = good;
  short_block.resize(300);
  EXPECT_EQ(error(short_block).find(kDamagedMap), 0u);
  std::vector<uint32_t> walks_on = good;  // behind the end of a text, over a NUL byte
  walks_on[256] = 0;
  EXPECT_EQ(error(walks_on).find(kDamagedMap), 0u);
  std::vector<uint32_t> circle = good;  // back to the block of the root
  circle[1 ^ 'a'] = ((1 ^ 'a' ^ 1) << 10) | 'a';
  EXPECT_EQ(error(circle).find(kDamagedMap), 0u);
}

Json byte_level_file(const std::string& expression) {
  Json file = Json::parse(make_byte_tokenizer()->files().at("tokenizer.json"));
  const Json split{{"type", "Split"},
                   {"pattern", {{"Regex", expression}}},
                   {"behavior", "Isolated"},
                   {"invert", false}};
  file["pre_tokenizer"] = {{"type", "Sequence"},
                           {"pretokenizers", Json::array({split, file["pre_tokenizer"]})}};
  return file;
}

std::shared_ptr<const Tokenizer> with_pattern(const std::string& expression) {
  return make_json_tokenizer(byte_level_file(expression).dump(), "", "t.json");
}

std::string repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

TEST(DamagedTokenizer, APatternOfTooManyParts) {
  EXPECT_EQ(with_pattern(repeated("(", 100) + "a" + repeated(")", 100))->encode("aa").size(), 2u);
  const std::string nested =
      error_of([] { with_pattern(repeated("(", 20'000) + "a" + repeated(")", 20'000)); });
  EXPECT_NE(nested.find("groups within groups, more than 200 deep"), std::string::npos) << nested;
  EXPECT_LT(nested.size(), 1000u) << "the pattern is not shown whole";
  const std::string many = error_of([] { with_pattern(repeated("a?", 20'000)); });
  EXPECT_NE(many.find("more than 1,000 parts"), std::string::npos) << many;
  Json literal = byte_level_file("a");
  literal["pre_tokenizer"]["pretokenizers"][0]["pattern"] = {{"String", repeated("a", 20'000)}};
  const std::string long_text =
      error_of([&] { make_json_tokenizer(literal.dump(), "", "t.json"); });
  EXPECT_EQ(long_text.find("t.json: its pre_tokenizer is Split; "), 0u) << long_text;
}

TEST(DamagedTokenizer, APatternThatWouldTakeForEver) {
  const auto tokenizer = with_pattern(repeated("a*", 12) + "c");
  EXPECT_EQ(tokenizer->encode("aac").size(), 3u);
  const std::string error = error_of([&] { tokenizer->encode(repeated("a", 2000)); });
  EXPECT_NE(error.find("a*a*"), std::string::npos) << error;
  EXPECT_NE(error.find("takes too long on this text"), std::string::npos) << error;
  // A long run of spaces is no such text.
  EXPECT_EQ(with_pattern(R"(\s*[\r\n]+|\s+(?!\S)|\s+)")->encode(repeated(" ", 300'000)).size(),
            300'000u);
}

TEST(DamagedTokenizer, ValuesOfAnotherTypeThanTheFormatHas) {
  const ScratchFolder folder("damaged_tokenizer");
  const auto ids_error = [&](const char* own) {
    folder.write("ids/tokenizer_config.json", std::string(R"({"muonlab": )") + own + "}");
    return error_of([&] { load_tokenizer(folder / "ids"); });
  };
  EXPECT_EQ(ids_error(R"({"tokenizer": "ids", "vocabulary": 9, "end_of_text": 8})"), "no error");
  for (const char* own : {R"(5)", R"([])", R"({"tokenizer": 5})",
                          R"({"tokenizer": "ids", "vocabulary": "x", "end_of_text": 0})",
                          R"({"tokenizer": "ids", "vocabulary": 9, "end_of_text": null})",
                          R"({"tokenizer": "ids", "vocabulary": 9.5, "end_of_text": 1})",
                          R"({"tokenizer": "ids", "vocabulary": 9})"}) {
    EXPECT_EQ(ids_error(own),
              folder / "ids" + ": the folder holds neither tokenizer.model nor tokenizer.json")
        << own;
  }

  Json file = byte_level_file("a");
  file["post_processor"] = {{"type", 5}};
  EXPECT_EQ(error_of([&] {
              make_json_tokenizer(file.dump(), "", "t.json");
            }).find("t.json: its post_processor names no type"),
            0u);
  file["post_processor"] = nullptr;
  file["normalizer"] = {{"type", Json::array()}};
  EXPECT_EQ(error_of([&] {
              make_json_tokenizer(file.dump(), "", "t.json");
            }).find("t.json: its normalizer names no type"),
            0u);
  folder.write("json/tokenizer.json", byte_level_file("a").dump());
  for (const char* config : {R"({"eos_token": {"content": 5}})", R"({"eos_token": 5})"}) {
    folder.write("json/tokenizer_config.json", config);
    EXPECT_EQ(error_of([&] { load_tokenizer(folder / "json"); }), "no error") << config;
  }
}

}  // namespace
}  // namespace muonlab::data
