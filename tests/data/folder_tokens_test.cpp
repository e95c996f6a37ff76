// Hugging Face folders whose tokenizer is described by more than one file.
#include "data/folder_tokens.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "data/scratch_folder.hpp"
#include "muonlab/data/tokenizer.hpp"
#include "muonlab/data/tokenizer_training.hpp"

namespace muonlab::data {
namespace {

using Json = nlohmann::json;

class FolderTokens : public testing::Test {
 protected:
  FolderTokens() {
    TokenizerTraining training;
    training.vocabulary = 270;
    folder_.write("tokenizer.model", train_tokenizer({"the white whale of the sea"}, training));
  }
  void config(const Json& json) { folder_.write("tokenizer_config.json", json.dump()); }
  std::string json_file() {
    Json file = Json::parse(make_byte_tokenizer()->files().at("tokenizer.json"));
    file["added_tokens"].push_back({{"id", 270}, {"content", "<|im_end|>"}, {"special", true}});
    return file.dump();
  }

  const ScratchFolder folder_{"folder_tokens"};
};

TEST_F(FolderTokens, TheModelAloneIsTheTokenizer) {
  config({{"eos_token", "</s>"}, {"added_tokens_decoder", {{"2", {{"content", "a"}}}}}});
  EXPECT_EQ(load_tokenizer(folder_.path())->vocabulary(), 270);
  EXPECT_TRUE(tokens_beyond(folder_.path(), 270).empty());
}

TEST_F(FolderTokens, AnEndOfTextThatTheModelLacksIsNotLost) {
  config({{"eos_token", {{"content", "<|im_end|>"}}}});
  folder_.write("added_tokens.json", R"({"<|im_start|>": 271, "<|im_end|>": 270})");
  EXPECT_EQ(error_of([&] { load_tokenizer(folder_.path()); }),
            folder_ / "tokenizer.model" +
                ": lacks the tokens that the folder adds (<|im_end|> 270, <|im_start|> 271), among "
                "them the one that ends a text; put a tokenizer.json of byte-level BPE beside it");
  folder_.write("tokenizer.json", R"({"model": {"type": "Unigram"}})");
  EXPECT_NE(error_of([&] {
              load_tokenizer(folder_.path());
            }).find("ends a text; the tokenizer.json beside it cannot be used: "),
            std::string::npos);
  folder_.write("tokenizer.json", json_file());
  const auto tokenizer = load_tokenizer(folder_.path());
  EXPECT_EQ(tokenizer->end_of_text(), 270);
  EXPECT_EQ(tokenizer->vocabulary(), 271);
}

TEST_F(FolderTokens, OthersThatTheModelLacksAreSaid) {
  config(
      {{"eos_token", "</s>"},
       {"added_tokens_decoder",
        {{"270", {{"content", "<pad>"}}}, {"x", {{"content", "b"}}}, {"271", {{"content", 5}}}}}});
  testing::internal::CaptureStderr();
  EXPECT_EQ(load_tokenizer(folder_.path())->vocabulary(), 270);
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("tokenizer.model: lacks the tokens that the folder adds (<pad> 270); muonlab "
                      "neither makes nor shows them"),
            std::string::npos)
      << said;
}

TEST_F(FolderTokens, TheTokenBeforeTextsIsFound) {
  const auto token = [&] { return token_before_texts(folder_.path()); };
  EXPECT_EQ(token(), "");
  config({{"bos_token", "<b>"}, {"tokenizer_class", "GPT2Tokenizer"}});
  EXPECT_EQ(token(), "");
  config({{"bos_token", {{"content", "<b>"}}}, {"add_bos_token", true}});
  EXPECT_EQ(token(), "<b>");
  config({{"tokenizer_class", "LlamaTokenizerFast"}});
  EXPECT_EQ(token(), "<s>");
  config({{"tokenizer_class", "LlamaTokenizer"}, {"add_bos_token", false}});
  EXPECT_EQ(token(), "");
  config(Json::object());
  const Json begin{{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}};
  const Json text{{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  const auto processor = [&](const Json& one) {
    folder_.write("tokenizer.json", Json{{"post_processor", one}}.dump());
  };
  processor({{"type", "TemplateProcessing"}, {"single", {begin, text}}});
  EXPECT_EQ(token(), "<s>");
  processor(
      {{"type", "Sequence"},
       {"processors",
        {{{"type", "ByteLevel"}}, {{"type", "TemplateProcessing"}, {"single", {begin, text}}}}}});
  EXPECT_EQ(token(), "<s>");
  processor({{"type", "TemplateProcessing"}, {"single", {text, begin}}});
  EXPECT_EQ(token(), "");
  processor({{"type", 5}, {"single", {5}}, {"processors", 7}});
  EXPECT_EQ(token(), "");
}

}  // namespace
}  // namespace muonlab::data
