#include "data/hugging_face.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace muonlab::data {
namespace {

using Json = nlohmann::json;

constexpr int kCount = 120'000;

std::string name(int id) { return "w" + std::to_string(id); }

// With the time of its square this would take a minute at every checkpoint.
TEST(HuggingFace, FilesOfALargeVocabulary) {
  std::vector<HfPiece> pieces;
  std::vector<SentencePiece> plain;
  for (int id = 0; id < kCount; ++id) {
    pieces.push_back({.text = name(id), .score = static_cast<float>(-id)});
    plain.push_back({.text = name(id), .score = static_cast<float>(-id), .type = 1});
  }
  ModelSettings settings;
  settings.model_type = 2;
  settings.remove_extra_whitespaces = false;
  for (const auto& files : {hugging_face_files(pieces, true, 0, 1),
                            hugging_face_normalizing_files(plain, settings, 1)}) {
    const Json vocabulary = Json::parse(files.at("tokenizer.json"))["model"]["vocab"];
    ASSERT_EQ(vocabulary.size(), static_cast<size_t>(kCount));
    EXPECT_EQ(vocabulary[name(kCount - 1)], kCount - 1);
  }
}

TEST(HuggingFace, OfTwoPiecesOfOneTextTheLastCounts) {
  std::vector<HfPiece> pieces;
  for (const char* text : {"a", "</s>", "b", "a", "c"}) pieces.push_back({.text = text});
  const std::string json = hugging_face_files(pieces, true, 1, 1).at("tokenizer.json");
  EXPECT_NE(json.find(R"("vocab":{"a":3,"</s>":1,"b":2,"c":4})"), std::string::npos) << json;
}

}  // namespace
}  // namespace muonlab::data
