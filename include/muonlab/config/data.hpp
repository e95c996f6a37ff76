// The data section: where samples come from.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "muonlab/config/field.hpp"

namespace muonlab::config {

// One id a byte, plus the end-of-text id 256.
struct ByteTokenizer {
  static constexpr std::string_view kName = "byte";
  bool operator==(const ByteTokenizer&) const = default;
  template <class Self, class Visit>
  static void fields(Self&, Visit&&) {}
};

// A trained sentencepiece model file.
struct FileTokenizer {
  static constexpr std::string_view kName = "sentencepiece";
  std::string path;
  bool operator==(const FileTokenizer&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("path", self.path, Field{.help = "a .model file, or a tokenizer.json"});
  }
};

// A BPE trained on the corpus itself when the run starts (deterministic), stored with the run.
struct TrainedTokenizer {
  static constexpr std::string_view kName = "bpe";
  int64_t vocabulary = 1024;
  bool operator==(const TrainedTokenizer&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("vocabulary", self.vocabulary,
          Field{.help = "number of pieces, including bytes and end-of-text",
                .min = 260,
                .max = 1 << 24});
  }
};

using TokenizerConfig = std::variant<ByteTokenizer, FileTokenizer, TrainedTokenizer>;
template <>
struct TagOf<TokenizerConfig> {
  static constexpr std::string_view key = "kind";
};

// What a selection of a person adds to the training text: questions about each attribute, or a
// biography besides.
enum class BiographyText { questions, biographies_and_questions };
template <>
struct EnumNames<BiographyText> {
  static constexpr std::array<std::string_view, 2> names{"questions", "biographies_and_questions"};
};

// Heavy-tailed biographies as question–answer text, generated in the process (papers.md §3.1).
struct BiographiesConfig {
  static constexpr std::string_view kName = "biographies";
  int64_t m = 8;
  int64_t questions = 6;
  int64_t templates = 3;
  BiographyText text = BiographyText::questions;
  bool uniform = false;
  int64_t seed = 1;
  TokenizerConfig tokenizer = TrainedTokenizer{};
  bool operator==(const BiographiesConfig&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit(
        "m", self.m,
        Field{.help = "2^m people in groups 0..m; a person of group g is asked about 2^(m-g) times",
              .min = 1,
              .max = 20});
    visit("questions", self.questions,
          Field{.help = "number of attributes that questions ask about", .min = 1, .max = 6});
    visit("templates", self.templates,
          Field{.help = "number of wordings of a question or sentence", .min = 1, .max = 6});
    visit("text", self.text,
          Field{.help = "what is trained on; biographies state every attribute in a sentence"});
    visit("uniform", self.uniform,
          Field{.help = "ask about every person equally often (a control)"});
    visit("seed", self.seed, Field{.help = "seed of the people and their facts"});
    visit("tokenizer", self.tokenizer, Field{.help = "how text becomes token ids"});
  }
};

// How wide the ids are in a token file that has no header.
enum class IdFormat { uint16, uint32 };
template <>
struct EnumNames<IdFormat> {
  static constexpr std::array<std::string_view, 2> names{"uint16", "uint32"};
};

// The order of the samples in an epoch: a permutation by the run's seed, or as the files hold them.
enum class SampleOrder { shuffled, stored };
template <>
struct EnumNames<SampleOrder> {
  static constexpr std::array<std::string_view, 2> names{"shuffled", "stored"};
};

// Shards made by `muonlab data tokens`, or token files of other programs, read where they lie.
struct ShardsConfig {
  static constexpr std::string_view kName = "shards";
  std::vector<std::string> train;
  std::vector<std::string> valid;
  std::optional<std::string> tokenizer;
  std::optional<IdFormat> format;
  std::optional<int64_t> vocabulary, end_of_text;
  SampleOrder order = SampleOrder::shuffled;
  std::vector<double> weights;
  std::map<std::string, std::vector<std::string>> valid_sets;
  bool operator==(const ShardsConfig&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("train", self.train, Field{.help = "shard files, or folders of them, to train on"});
    visit("valid", self.valid, Field{.help = "shard files, or folders of them, to validate on"});
    visit(
        "tokenizer", self.tokenizer,
        Field{.help = "the .model or tokenizer.json of the shards; default: the one next to them"});
    visit("format", self.format,
          Field{.help = "ids of token files without a header, as nanoGPT, OLMo and datatrove write "
                        "them"});
    visit("vocabulary", self.vocabulary,
          Field{.help = "number of ids in token files of other programs; default: the tokenizer's",
                .min = 1,
                .max = 1 << 24});
    visit("end_of_text", self.end_of_text,
          Field{.help = "id between documents in token files of other programs; default: the "
                        "tokenizer's",
                .min = 0,
                .max = (1 << 24) - 1});
    visit("order", self.order,
          Field{.help = "order of the samples: shuffled by the seed, or stored as the files have "
                        "them (other programs' order)",
                .quiet = true});
    visit("weights", self.weights,
          Field{.help = "train on a mixture: the share of the samples that each entry of train "
                        "gets, in proportion; default: every sample once an epoch",
                .min = 0,
                .max = 1e6,
                .above_min = true,
                .quiet = true});
    visit("valid_sets", self.valid_sets,
          Field{.help = "further validation data by name; their losses are recorded beside that of "
                        "valid",
                .quiet = true});
  }
};

using DataConfig = std::variant<BiographiesConfig, ShardsConfig>;
template <>
struct TagOf<DataConfig> {
  static constexpr std::string_view key = "kind";
};

}  // namespace muonlab::config
