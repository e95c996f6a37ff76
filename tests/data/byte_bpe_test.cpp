// Byte-level BPE: learned here, and read from tiktoken's files.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>

#include <nlohmann/json.hpp>

#include "base/temporary_folder.hpp"
#include "data/tiktoken.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/data/tokenizer.hpp"
#include "muonlab/data/tokenizer_training.hpp"

namespace muonlab::data {
namespace {

std::string three_times(const std::string& text) { return text + text + text; }

// What the tokenizers library 0.23.3 learns from the same text: BpeTrainer(vocab_size=310,
// special_tokens=["<|endoftext|>"], initial_alphabet=ByteLevel.alphabet()) and
// ByteLevel(add_prefix_space=False). Among the words are runs of one letter, whose pairs overlap,
// and tokens that two merges make.
TEST(ByteBpe, LearnsTheMergesOfTheTokenizersLibrary) {
  const std::string text = three_times(
      "low lower lowest, new newer newest; wide wider widest! aaaa aaa aa aaaaaaa\n\nthe lower the "
      "newer, the wider the better: naïve cafés cafés café 日本 日本語 don't we'll don't\n");
  TokenizerTraining training;
  training.vocabulary = 310;
  const std::string json = train_byte_bpe({text}, training);
  std::vector<std::string> merges;
  const auto file = nlohmann::json::parse(json);
  for (const auto& merge : file["model"]["merges"])
    merges.push_back(merge[0].get<std::string>() + "|" + merge[1].get<std::string>());
  EXPECT_EQ(base::join(merges, " "),
            "a|a e|r Ġ|n Ġ|w e|w h|e i|d l|o t|he Ġ|aa Ġn|ew Ġw|id lo|w a|f c|af e|s Ã|© Ġ|the "
            "Ġ|low Ġ|caf "
            "es|t Ġcaf|Ã© '|t d|o ¥|æ æ|Ĺ Ġ|do Ġ|æĹ ľ|¬ Ġaa|aa Ġnew|er Ġwid|er Ġlow|er ĠcafÃ©|s "
            "¥æ|ľ¬ Ġdo|n "
            "ĠæĹ|¥æľ¬ '|l a|Ã b|e t|t v|e ª|ŀ ¯|ve è|ªŀ Ġ|be aa|a Ġn|aÃ Ġw|e Ġaa|a Ġnew|est Ġwid|e "
            "Ġwid|est");
  const auto tokenizer = make_json_tokenizer(json, std::string(kEndOfText), "trained");
  EXPECT_EQ(tokenizer->vocabulary(), 310);
  EXPECT_EQ(tokenizer->end_of_text(), 0);
  EXPECT_EQ(tokenizer->encode(text.substr(0, 60)),
            (std::vector<int32_t>{269, 289, 275, 277, 12, 267, 287, 307, 27, 308, 288, 309, 1, 286,
                                  221}));
  EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
}

TEST(ByteBpe, FilesGiveTheSameAsTheirTexts) {
  const base::TemporaryFolder folder;
  // More than the mebibyte after which a document is cut, with lines that begin with spaces.
  std::string text;
  for (int i = 0; text.size() < 3'000'000; ++i)
    text += "  word" + std::to_string(i % 977) + (i % 7 == 0 ? "\n\n" : i % 3 == 0 ? "\n" : " ");
  base::write_atomically(folder / "a.txt", text);
  TokenizerTraining training;
  training.vocabulary = 600;
  BadLines bad;
  EXPECT_EQ(train_byte_bpe_on_files(list_inputs({folder / "a.txt"}), {}, training, bad),
            train_byte_bpe({text}, training));
}

TEST(ByteBpe, TooLittleTextNamesWhatIsPossible) {
  TokenizerTraining training;
  training.vocabulary = 1000;
  EXPECT_NE(base::error_of([&] {
              train_byte_bpe({"aaaa aa"}, training);
            }).find("the text gives only 260 tokens, not 1,000"),
            std::string::npos)
      << base::error_of([&] { train_byte_bpe({"aaaa aa"}, training); });
  EXPECT_NE(base::error_of([&] { train_byte_bpe({""}, training); }).find("there is no text"),
            std::string::npos);
}

std::string base64(const std::string& bytes) {
  constexpr const char* kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t bits = 0;
    for (size_t k = 0; k < 3; ++k)
      bits = bits << 8 | (i + k < bytes.size() ? static_cast<uint8_t>(bytes[i + k]) : 0u);
    for (size_t k = 0; k < 4; ++k)
      out += k <= bytes.size() - i ? kDigits[bits >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

// As many ranks as GPT-2 has: the bytes, then words of one to four of a few letters.
std::vector<std::string> ranked_tokens() {
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) tokens.emplace_back(1, static_cast<char>(byte));
  constexpr std::string_view kLetters = "etaoinshrdlcumwfg";
  std::vector<std::string> longer;
  for (const char a : kLetters)
    for (const char b : kLetters) longer.push_back({a, b});
  for (size_t i = 0; tokens.size() + longer.size() < 50256; ++i)
    longer.push_back(longer[i] + kLetters[i % kLetters.size()] + (i % 2 == 0 ? "" : "e"));
  // A rank is a place in the file of the most frequent: longer words are not always later.
  for (size_t i = 0; i < longer.size(); ++i)
    std::swap(longer[i], longer[(i * 7919) % longer.size()]);
  std::ranges::sort(longer.begin(), longer.end());
  longer.erase(std::ranges::unique(longer).begin(), longer.end());
  for (size_t i = 0; i + 1 < longer.size(); i += 2) std::swap(longer[i], longer[i + 1]);
  tokens.insert(tokens.end(), longer.begin(), longer.end());
  for (int i = 0; tokens.size() < 50256; ++i) tokens.push_back("#" + std::to_string(i) + "#");
  return tokens;
}

std::string ranks_file(const std::vector<std::string>& tokens) {
  std::string text;
  for (size_t rank = 0; rank < tokens.size(); ++rank)
    text += base64(tokens[rank]) + " " + std::to_string(rank) + "\n";
  return text;
}

// As tiktoken does it: a piece that is a token is one; else the neighbours whose text has the
// lowest rank become one, the first of equals.
std::vector<int32_t> merged(const std::map<std::string, int32_t>& ranks, const std::string& piece) {
  if (const auto whole = ranks.find(piece); whole != ranks.end()) return {whole->second};
  std::vector<std::string> parts;
  for (const char byte : piece) parts.emplace_back(1, byte);
  while (true) {
    size_t best = parts.size();
    int32_t lowest = std::numeric_limits<int32_t>::max();
    for (size_t i = 0; i + 1 < parts.size(); ++i) {
      const auto found = ranks.find(parts[i] + parts[i + 1]);
      if (found == ranks.end() || found->second >= lowest) continue;
      lowest = found->second;
      best = i;
    }
    if (best == parts.size()) break;
    parts[best] += parts[best + 1];
    parts.erase(parts.begin() + static_cast<ptrdiff_t>(best) + 1);
  }
  std::vector<int32_t> ids;
  for (const std::string& part : parts) ids.push_back(ranks.at(part));
  return ids;
}

TEST(Tiktoken, IdsAreThoseOfItsRule) {
  const std::vector<std::string> tokens = ranked_tokens();
  std::map<std::string, int32_t> ranks;
  for (size_t rank = 0; rank < tokens.size(); ++rank)
    ranks.emplace(tokens[rank], static_cast<int32_t>(rank));
  ASSERT_EQ(ranks.size(), 50256u);
  const base::TemporaryFolder folder;
  const std::string path = folder / "gpt.tiktoken";
  base::write_atomically(path, ranks_file(tokens));
  const auto tokenizer = load_tokenizer(path);
  EXPECT_EQ(tokenizer->vocabulary(), 50257);
  EXPECT_EQ(tokenizer->end_of_text(), 50256);
  for (const char* word : {"the", "teaching", "sheettoot", "nnnnnnn", "rhododendron",
                           "tatatatatata", "wormwood", "mississippi", "", "a"}) {
    std::vector<int32_t> want;
    if (*word) want = merged(ranks, word);
    EXPECT_EQ(tokenizer->encode(word), want) << word;
  }
  const std::string text = "naïve <|endoftext|> 日本 \xff\n  end";
  EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
}

TEST(Tiktoken, MalformedFilesAreRefused) {
  const std::vector<std::string> tokens = ranked_tokens();
  const std::string good = ranks_file(tokens);
  const auto message = [](const std::string& text) {
    return base::error_of([&] { tiktoken_to_json(text, "x.tiktoken"); });
  };
  EXPECT_EQ(message(good), "");
  const size_t line = good.find('\n') + 1;
  EXPECT_NE(message(good.substr(0, good.rfind('\n', good.size() / 2) + 1))
                .find("ranks are those of no vocabulary"),
            std::string::npos);
  for (const char* bad :
       {"!!!! 7\n", "AA==\n", "AA== x\n", "AA== -1\n", " 5\n", "AA== 99999999999\n"}) {
    EXPECT_NE(message(good.substr(0, line) + bad + good.substr(line)).find("x.tiktoken:2: "),
              std::string::npos)
        << bad;
  }
  EXPECT_NE(message(good + "AA== 5\n").find("two tokens have the rank 5"), std::string::npos);
  EXPECT_NE(message("").find("its 0 ranks"), std::string::npos);
  EXPECT_FALSE(is_tiktoken("\x0a\x0e\x0a<unk>"));
  EXPECT_TRUE(is_tiktoken(good));
}

}  // namespace
}  // namespace muonlab::data
