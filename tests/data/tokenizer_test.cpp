#include "muonlab/data/tokenizer.hpp"

#include <gtest/gtest.h>
#include <sentencepiece_trainer.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "data/random_text.hpp"
#include "data/scratch_folder.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/data/pretoken.hpp"
#include "muonlab/data/tokenizer_training.hpp"

namespace muonlab::data {
namespace {

std::vector<std::string> training_texts() {
  std::mt19937 random(3);
  std::vector<std::string> texts;
  static const char* const words[] = {"whale", "sea",     "captain", "the",    "of",    "and",
                                      "ship",  "harpoon", "voyage",  "sailor", "storm", "white",
                                      "deck",  "mast",    "boat",    "naïve",  "語る"};
  for (int i = 0; i < 300; ++i) {
    std::string text;
    for (int j = 0; j < 40; ++j) {
      text += words[random() % std::size(words)];
      text += j % 9 == 8 ? ".\n\n" : random() % 11 == 0 ? ",\n    " : " ";
    }
    texts.push_back(text);
  }
  return texts;
}

std::string train(PieceModel type, int64_t vocabulary = 420) {
  TokenizerTraining training;
  training.type = type;
  training.vocabulary = vocabulary;
  return train_tokenizer(training_texts(), training);
}

const std::vector<std::shared_ptr<const Tokenizer>>& tokenizers() {
  static const std::vector<std::shared_ptr<const Tokenizer>> all = {
      make_sentencepiece_tokenizer(train(PieceModel::bpe), "bpe.model"),
      make_sentencepiece_tokenizer(train(PieceModel::unigram, 320), "unigram.model"),
      make_byte_tokenizer()};
  return all;
}

TEST(Tokenizer, RoundTripsEveryString) {
  std::mt19937 random(11);
  for (const auto& tokenizer : tokenizers()) {
    for (int round = 0; round < 2000; ++round) {
      const std::string text = round % 4 == 0 ? random_bytes(random, random() % 200)
                                              : random_utf8(random, random() % 30);
      const auto ids = tokenizer->encode(text);
      ASSERT_EQ(tokenizer->decode(ids), text) << tokenizer->description() << ", round " << round;
      for (const int32_t id : ids) {
        ASSERT_GE(id, 0);
        ASSERT_LT(id, tokenizer->vocabulary());
        ASSERT_NE(id, tokenizer->end_of_text());
      }
    }
  }
}

TEST(Tokenizer, EncodesPartsAsTheWhole) {
  std::mt19937 random(12);
  for (const auto& tokenizer : tokenizers()) {
    for (int round = 0; round < 500; ++round) {
      const std::string text = random_utf8(random, 40) + random_bytes(random, random() % 20);
      const size_t cut = last_safe_cut(std::string_view(text).substr(0, random() % text.size()));
      auto ids = tokenizer->encode(std::string_view(text).substr(0, cut));
      const auto rest = tokenizer->encode(std::string_view(text).substr(cut));
      ids.insert(ids.end(), rest.begin(), rest.end());
      ASSERT_EQ(ids, tokenizer->encode(text));
    }
  }
}

TEST(Tokenizer, LearnsWordsWithTheirSpacesLineFeedsAndRunsOfSpaces) {
  for (size_t i = 0; i < 2; ++i) {
    const Tokenizer& tokenizer = *tokenizers()[i];
    EXPECT_EQ(tokenizer.encode(" harpoon").size(), 1u) << tokenizer.description();
    EXPECT_EQ(tokenizer.encode("\n").size(), 1u) << tokenizer.description();
    EXPECT_EQ(tokenizer.encode("   ").size(), 1u) << tokenizer.description();
    EXPECT_EQ(tokenizer.encode("\t").size(), 1u);
    EXPECT_EQ(tokenizer.encode("\xE2\x96\x81").size(), 3u);
  }
}

TEST(Tokenizer, BpeLearnsEmptyLines) { EXPECT_EQ(tokenizers()[0]->encode("\n\n").size(), 1u); }

TEST(Tokenizer, DescribesItselfAndItsIds) {
  EXPECT_EQ(tokenizers()[0]->description(), "bpe 420");
  EXPECT_EQ(tokenizers()[0]->vocabulary(), 420);
  EXPECT_EQ(tokenizers()[0]->end_of_text(), 1);
  EXPECT_EQ(tokenizers()[1]->description(), "unigram 320");
  EXPECT_EQ(tokenizers()[2]->vocabulary(), 257);
  EXPECT_EQ(tokenizers()[2]->encode("A\xFF"), (std::vector<int32_t>{65, 255}));
  for (const auto& tokenizer : tokenizers()) {
    EXPECT_EQ(tokenizer->decode(std::vector<int32_t>{tokenizer->end_of_text()}), kEndOfText);
    EXPECT_EQ(tokenizer->hash().size(), 32u);
    EXPECT_THROW(tokenizer->decode(std::vector<int32_t>{-1}), base::Error);
    EXPECT_THROW(
        tokenizer->decode(std::vector<int32_t>{static_cast<int32_t>(tokenizer->vocabulary())}),
        base::Error);
  }
  EXPECT_NE(tokenizers()[0]->hash(), tokenizers()[1]->hash());
}

TEST(Tokenizer, TrainingIsDeterministic) {
  EXPECT_EQ(train(PieceModel::bpe), train(PieceModel::bpe));
  EXPECT_EQ(train(PieceModel::unigram, 320), train(PieceModel::unigram, 320));
}

TEST(Tokenizer, TrainingSamplesSentences) {
  TokenizerTraining training;
  training.vocabulary = 330;
  training.input_sentences = 40;
  const std::string some = train_tokenizer(training_texts(), training);
  training.input_sentences = 0;
  EXPECT_NE(some, train_tokenizer(training_texts(), training));
}

TEST(Tokenizer, IsUsableFromManyThreads) {
  const auto& tokenizer = tokenizers()[0];
  const std::string text = training_texts()[5];
  const auto expected = tokenizer->encode(text);
  std::vector<std::thread> threads;
  std::vector<int> same(4, 0);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 50; ++round) same[i] += tokenizer->encode(text) == expected;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(same, (std::vector<int>{50, 50, 50, 50}));
}

TEST(Tokenizer, FilesLoadAgain) {
  for (const auto& tokenizer : tokenizers()) {
    const ScratchFolder folder("tokenizer_files");
    for (const auto& [name, bytes] : tokenizer->files()) folder.write(name, bytes);
    EXPECT_TRUE(std::filesystem::exists(folder / "tokenizer.json"));
    const auto again = load_tokenizer(folder.path());
    EXPECT_EQ(again->hash(), tokenizer->hash());
    EXPECT_EQ(again->encode("the white whale\n"), tokenizer->encode("the white whale\n"));
  }
}

TEST(Tokenizer, SaysWhatIsWrongWithAModel) {
  EXPECT_EQ(
      error_of([] { load_tokenizer("/nowhere/x.model"); }),
      "/nowhere/x.model: no such tokenizer; name a .model or .tiktoken file, a tokenizer.json, a "
      "checkpoint folder, or \"byte\"");
  EXPECT_NE(error_of([] {
              make_sentencepiece_tokenizer("garbage bytes", "x.model");
            }).find("x.model: not a sentencepiece model"),
            std::string::npos);
  EXPECT_NE(
      error_of([] { make_sentencepiece_tokenizer("", "x.model"); }).find("has no byte fallback"),
      std::string::npos);
  const std::string good = train(PieceModel::bpe);
  for (size_t keep : {good.size() / 2, good.size() - 1}) {
    EXPECT_NE(error_of([&] { make_sentencepiece_tokenizer(good.substr(0, keep), "x.model"); }),
              "no error");
  }
}

TEST(Tokenizer, SaysWhyTrainingCannotWork) {
  TokenizerTraining training;
  training.vocabulary = 100'000;
  EXPECT_NE(
      error_of([&] { train_tokenizer(training_texts(), training); }).find("the text gives only "),
      std::string::npos);
  training.vocabulary = 262;
  EXPECT_NE(error_of([&] { train_tokenizer(training_texts(), training); }).find("262 is too small"),
            std::string::npos);
  training.vocabulary = 300;
  EXPECT_EQ(error_of([&] { train_tokenizer({""}, training); }),
            "there is no text to train a tokenizer on");
  // Sentencepiece would end the whole program.
  training.type = PieceModel::unigram;
  for (const std::string& text : {std::string("aaaaaaaa"), std::string(50, '\n')}) {
    EXPECT_EQ(error_of([&] { train_tokenizer({text}, training); }),
              "the text is too short to train a unigram tokenizer on; take more text, or another "
              "--kind");
  }
  training.type = PieceModel::bpe;
  training.coverage = 0.5;
  EXPECT_NE(error_of([&] { train_tokenizer({"a"}, training); }).find("coverage must lie"),
            std::string::npos);
}

// transformers' AutoTokenizer reads these; with them its default call gives our ids.
TEST(Tokenizer, ItsFilesMakeTextOfTheNamesOfSpecialPieces) {
  for (const auto& tokenizer : tokenizers()) {
    const auto files = tokenizer->files();
    const auto config = nlohmann::json::parse(files.at("tokenizer_config.json"));
    EXPECT_EQ(config["add_prefix_space"], false);
    EXPECT_EQ(config["add_bos_token"], false);
    EXPECT_EQ(config["add_eos_token"], false);
    EXPECT_EQ(config["split_special_tokens"], true);
    EXPECT_FALSE(config.contains("unk_token"));
    const auto json = nlohmann::json::parse(files.at("tokenizer.json"));
    ASSERT_EQ(json["added_tokens"].size(), 1u);
    EXPECT_EQ(json["added_tokens"][0]["content"], std::string(kEndOfText));
    EXPECT_EQ(json["added_tokens"][0]["id"], tokenizer->end_of_text());
    const auto& model = json["model"];
    if (model["type"] == "Unigram") {
      EXPECT_EQ(model["vocab"][0][0], "\u2581<unk>") << "no text makes it";
    } else {
      EXPECT_TRUE(model["unk_token"].is_null());
    }
  }
}

// Encoding pretoken by pretoken would never find such pieces.
TEST(Tokenizer, AModelWithPiecesAcrossWordsIsRefused) {
  std::string text;
  for (const std::string& part : training_texts()) text += part + " ";
  std::erase(text, '\n');
  const auto error = [&](const std::string& setting) {
    std::string model;
    const std::vector<std::string> sentences(20, text.substr(0, 4000));
    const auto status = sentencepiece::SentencePieceTrainer::Train(
        "--model_type=bpe --vocab_size=420 --byte_fallback=true --normalization_rule_name=identity "
        "--add_dummy_prefix=false --remove_extra_whitespaces=false --unk_id=0 --eos_id=1 "
        "--bos_id=-1 --minloglevel=3 " +
            setting,
        sentences, &model);
    EXPECT_TRUE(status.ok()) << status.ToString();
    try {
      make_sentencepiece_tokenizer(model, "m.model");
    } catch (const base::Error& caught) {
      return std::string(caught.what());
    }
    return std::string();
  };
  EXPECT_EQ(error(""), "");
  for (const char* more : {"", " --add_dummy_prefix=true"}) {
    const std::string text = error(std::string("--split_by_whitespace=false") + more);
    EXPECT_NE(text.find("m.model: this sentencepiece model has pieces that reach over the end of a "
                        "word, such as \""),
              std::string::npos)
        << text;
  }
  EXPECT_NE(error("--treat_whitespace_as_suffix=true").find("puts spaces at the end of words"),
            std::string::npos);
}

}  // namespace
}  // namespace muonlab::data
