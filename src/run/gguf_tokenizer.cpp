// Tokenizers in the keys of GGUF, from the files that a checkpoint holds.
#include <nlohmann/json.hpp>

#include "export_parts.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/data/ids_tokenizer.hpp"
#include "muonlab/data/sentencepiece_pieces.hpp"

namespace muonlab::run {
namespace {

using PlainJson = nlohmann::json;

// The format's kinds of tokens.
enum TokenKind : int32_t { kNormal = 1, kControl = 3, kUserDefined = 4, kUnused = 5 };

[[noreturn]] void refuse(const std::string& what) {
  throw base::Error("GGUF: ", what,
                    "; llama.cpp would make other ids. --no-tokenizer writes the model alone, and "
                    "--to hf writes it with its tokenizer");
}

struct Tokens {
  std::vector<std::string> texts;
  std::vector<int32_t> kinds;

  Tokens(size_t count) : texts(count), kinds(count, kUnused) {
    for (size_t i = 0; i < count; ++i) texts[i] = base::str("[PAD", i, "]");
  }
  void set(size_t id, const std::string& text, int32_t kind) {
    texts.at(id) = text;
    kinds.at(id) = kind;
  }
};

void add_ids(store::GgufPairs& pairs, int32_t end_of_text) {
  // A text begins in training behind the end of another one.
  pairs.emplace_back("tokenizer.ggml.bos_token_id", static_cast<uint32_t>(end_of_text));
  pairs.emplace_back("tokenizer.ggml.eos_token_id", static_cast<uint32_t>(end_of_text));
  pairs.emplace_back("tokenizer.ggml.add_bos_token", false);
  pairs.emplace_back("tokenizer.ggml.add_eos_token", false);
}

store::GgufPairs from_sentencepiece(const std::string& model, const data::Tokenizer& tokenizer,
                                    int64_t vocabulary) {
  const data::SentencePieceKind kind = data::sentencepiece_kind(model, "tokenizer.model");
  if (!kind.bpe) refuse("the tokenizer is a unigram model");
  if (kind.normalizes) refuse("the tokenizer normalizes its text");
  if (kind.removes_spaces) refuse("the tokenizer removes spaces");
  Tokens tokens(static_cast<size_t>(vocabulary));
  std::vector<float> scores(static_cast<size_t>(vocabulary), 0);
  const auto pieces = data::read_sentence_pieces(model, "tokenizer.model");
  for (size_t id = 0; id < pieces.size(); ++id) {
    tokens.set(id, pieces[id].text, pieces[id].type);
    scores[id] = pieces[id].score;
  }
  store::GgufPairs pairs{{"tokenizer.ggml.model", std::string("llama")},
                         {"tokenizer.ggml.pre", std::string("default")},
                         {"tokenizer.ggml.tokens", tokens.texts},
                         {"tokenizer.ggml.scores", scores},
                         {"tokenizer.ggml.token_type", tokens.kinds},
                         {"tokenizer.ggml.add_space_prefix", kind.adds_space},
                         {"tokenizer.ggml.remove_extra_whitespaces", kind.removes_spaces}};
  add_ids(pairs, tokenizer.end_of_text());
  return pairs;
}

const PlainJson& member(const PlainJson& object, const char* name) {
  static const PlainJson none;
  const auto found = object.is_object() ? object.find(name) : object.end();
  return object.is_object() && found != object.end() ? *found : none;
}

// The expressions by which a pre-tokenizer splits, and whether GPT-2's comes last.
struct Splits {
  std::vector<std::string> patterns{};
  bool digits = false;  // each digit alone
  bool gpt2 = false;
};

void read_splits(const PlainJson& part, Splits& splits) {
  const std::string type = part.value("type", "");
  if (type == "Sequence") {
    for (const PlainJson& inner : member(part, "pretokenizers")) read_splits(inner, splits);
  } else if (type == "Split") {
    splits.patterns.push_back(member(member(part, "pattern"), "Regex").is_string()
                                  ? part["pattern"]["Regex"].get<std::string>()
                                  : "");
  } else if (type == "Digits") {
    splits.digits = part.value("individual_digits", false);
    if (!splits.digits) splits.patterns.emplace_back();
  } else if (type == "ByteLevel") {
    if (part.value("add_prefix_space", false)) refuse("the tokenizer adds a space before a text");
    splits.gpt2 = part.value("use_regex", true);
  } else {
    splits.patterns.emplace_back();
  }
}

// llama.cpp's name of a pre-tokenizer that splits texts as this one does.
std::string pre_tokenizer_name(const PlainJson& tokenizer) {
  static const std::string kLlama3 =
      R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
  static const std::string kQwen2 =
      R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
  Splits splits;
  read_splits(member(tokenizer, "pre_tokenizer"), splits);
  const bool whole_words = member(member(tokenizer, "model"), "ignore_merges") == true;
  const bool no_merges = member(member(tokenizer, "model"), "merges").empty();
  if (splits.patterns.empty() && !whole_words) {
    if (splits.digits && splits.gpt2) return "smollm";
    if (!splits.digits && (splits.gpt2 || no_merges)) return "gpt-2";
  }
  if (splits.patterns.size() == 1 && !splits.digits && !splits.gpt2) {
    if (splits.patterns[0] == kLlama3 && whole_words) return "llama-bpe";
    if (splits.patterns[0] == kQwen2 && !whole_words) return "qwen2";
  }
  if (splits.patterns.size() == 3 && splits.patterns[0] == R"(\p{N}{1,3})" && !splits.gpt2 &&
      splits.patterns[1].starts_with("[一-龥"))
    return "deepseek-v3";
  refuse("the tokenizer splits texts in a way that llama.cpp has no name for");
}

std::vector<std::string> merges_of(const PlainJson& tokenizer) {
  std::vector<std::string> merges;
  for (const PlainJson& merge : member(member(tokenizer, "model"), "merges")) {
    merges.push_back(merge.is_string()
                         ? merge.get<std::string>()
                         : merge.at(0).get<std::string>() + " " + merge.at(1).get<std::string>());
  }
  return merges;
}

store::GgufPairs from_json(const std::string& text, const data::Tokenizer& tokenizer,
                           int64_t vocabulary) {
  const PlainJson json = PlainJson::parse(text);
  Tokens tokens(static_cast<size_t>(vocabulary));
  for (const auto& [token, id] : member(member(json, "model"), "vocab").items())
    tokens.set(id.get<size_t>(), token, kNormal);
  for (const PlainJson& added : member(json, "added_tokens")) {
    tokens.set(added.at("id").get<size_t>(), added.at("content").get<std::string>(),
               added.value("special", false) ? kControl : kUserDefined);
  }
  store::GgufPairs pairs{{"tokenizer.ggml.model", std::string("gpt2")},
                         {"tokenizer.ggml.pre", pre_tokenizer_name(json)},
                         {"tokenizer.ggml.tokens", tokens.texts},
                         {"tokenizer.ggml.token_type", tokens.kinds},
                         {"tokenizer.ggml.merges", merges_of(json)}};
  add_ids(pairs, tokenizer.end_of_text());
  return pairs;
}

}  // namespace

std::string gguf_tokenizer_note(const data::Tokenizer& tokenizer) {
  const auto files = tokenizer.files();
  const auto model = files.find("tokenizer.model");
  if (model == files.end()) {
    const auto json = files.find("tokenizer.json");
    const bool normalizes =
        json != files.end() &&
        member(PlainJson::parse(json->second), "normalizer").dump().find("NFC") !=
            std::string::npos;
    if (!normalizes) return "";
    return "llama.cpp does not normalize texts (NFC), as this tokenizer does: its ids are others "
           "where an accent is a character of its own behind its letter";
  }
  // Models that add a space are those of others, whose texts are not split into words first.
  if (data::sentencepiece_kind(model->second, model->first).adds_space) return "";
  return "llama.cpp does not split a text into words before it applies a sentencepiece model, as "
         "muonlab does: its ids are others where two spaces follow each other, and rarely "
         "elsewhere. They stand for the same text. A tokenizer of `muonlab data tokenizer --kind "
         "byte_bpe` has the same ids everywhere";
}

store::GgufPairs gguf_tokenizer(const data::Tokenizer& tokenizer, int64_t vocabulary) {
  if (data::is_ids_tokenizer(tokenizer)) refuse("the model has token ids without a tokenizer");
  const auto files = tokenizer.files();
  if (const auto model = files.find("tokenizer.model"); model != files.end())
    return from_sentencepiece(model->second, tokenizer, vocabulary);
  return from_json(files.at("tokenizer.json"), tokenizer, vocabulary);
}

}  // namespace muonlab::run
