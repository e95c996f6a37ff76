#include <algorithm>
#include <optional>

#include <nlohmann/json.hpp>

#include "data/byte_level.hpp"
#include "data/unicode.hpp"
#include "muonlab/base/error.hpp"

namespace muonlab::data {

namespace {

using Json = nlohmann::json;

constexpr int64_t kMaxId = 1 << 24;

// The expression of the ByteLevel pre-tokenizer.
constexpr const char* kGpt2 =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

// Expressions for which ByteLevelParts::line_ends_are_borders is proven: Llama 3, Qwen 2 and 3,
// Llama 4 (and o200k), DeepSeek V3.
constexpr std::string_view kBorderedAtLineEnds[] = {
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
    R"(\p{N}{1,3})",
    "[一-龥\u3040-ゟ゠-ヿ]+",
    "[!\"#$%&'()*+,\\-./"
    ":;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| "
    "?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
};

constexpr std::string_view kEndNames[] = {"<|endoftext|>", "<|end_of_text|>",       "</s>",
                                          "<eos>",         "<｜end▁of▁sentence｜>", "<|eot|>"};

class JsonReader {
 public:
  JsonReader(const Json& file, const std::string& label, ByteLevelParts& parts)
      : file_(file), label_(label), parts_(parts) {}

  void read(const std::string& end_of_text) {
    read_model();
    read_added_tokens(end_of_text);
    read_normalizer(member(file_, "normalizer"));
    parts_.line_ends_are_borders = true;
    place_added_tokens();
    read_pre_tokenizer(member(file_, "pre_tokenizer"));
    if (!has_bytes_) {
      unsupported("its pre_tokenizer", "none of kind ByteLevel");
    }
    check_decoder(member(file_, "decoder"));
    if (const Json& processor = member(file_, "post_processor"); !processor.is_null())
      kind(processor, "post_processor");
  }

 private:
  template <class... Parts>
  [[noreturn]] void malformed(const Parts&... what) const {
    throw base::Error(label_, ": ", what...,
                      "; the file is damaged or no tokenizer.json, get it again");
  }
  [[noreturn]] void unsupported(const std::string& where, const std::string& what) const {
    throw base::Error(label_, ": ", where, " is ", what,
                      ", which muonlab does not support: it reads byte-level BPE (GPT-2, Llama 3, "
                      "Qwen, SmolLM2, DeepSeek). Use such a tokenizer, the model's sentencepiece "
                      ".model file, or train one with `muonlab data tokenizer`");
  }

  static const Json& member(const Json& object, const char* name) {
    static const Json none;
    const auto found = object.find(name);
    return found == object.end() ? none : *found;
  }
  bool flag(const Json& object, const char* name, bool otherwise) const {
    const Json& value = member(object, name);
    if (value.is_null()) return otherwise;
    if (!value.is_boolean()) malformed(name, " is not true or false");
    return value.get<bool>();
  }
  std::string kind(const Json& object, const char* what) const {
    const Json& type = object.is_object() ? member(object, "type") : Json();
    if (!type.is_string()) malformed("its ", what, " names no type");
    return type.get<std::string>();
  }
  int32_t id_of(const Json& value, const std::string& token) const {
    if (!value.is_number_integer() || value < 0 || value >= kMaxId) {
      malformed("the id of ", Json(token).dump(), " is not a number from 0 to ", kMaxId - 1);
    }
    return value.get<int32_t>();
  }

  // The bytes that a token of the vocabulary stands for; none where a character stands for no byte.
  static std::optional<std::string> bytes_of(std::string_view token) {
    static const std::unordered_map<std::string_view, char> bytes = [] {
      std::unordered_map<std::string_view, char> map;
      for (int byte = 0; byte < 256; ++byte)
        map.emplace(byte_level_characters()[static_cast<size_t>(byte)], static_cast<char>(byte));
      return map;
    }();
    std::string out;
    while (!token.empty()) {
      size_t length = 0;
      decode_character(token, length);
      const auto found = bytes.find(token.substr(0, length));
      if (found == bytes.end()) return std::nullopt;
      out += found->second;
      token.remove_prefix(length);
    }
    return out;
  }

  void read_model() {
    const Json& model = member(file_, "model");
    if (!model.is_object()) malformed("it has no model");
    if (const Json& type = member(model, "type"); !type.is_null() && type != "BPE")
      unsupported("the type of its model", type.dump());
    if (const Json& dropout = member(model, "dropout"); !dropout.is_null() && dropout != 0)
      unsupported("its model", "one with dropout");
    for (const char* name : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      if (const Json& affix = member(model, name); !affix.is_null() && affix != "")
        unsupported("its model", base::str("one with ", name, " ", affix.dump()));
    }
    if (flag(model, "byte_fallback", false)) {
      unsupported("its model", "one with byte_fallback, as made from a sentencepiece model");
    }
    const Json& vocabulary = member(model, "vocab");
    if (!vocabulary.is_object()) malformed("its model has no vocab");
    std::vector<bool> given;
    for (const auto& [token, value] : vocabulary.items()) {
      const int32_t id = id_of(value, token);
      ids_.emplace(token, id);
      if (static_cast<size_t>(id) >= parts_.texts.size()) {
        parts_.texts.resize(static_cast<size_t>(id) + 1);
        given.resize(parts_.texts.size());
      }
      if (given[static_cast<size_t>(id)]) malformed("two tokens of its vocab have the id ", id);
      given[static_cast<size_t>(id)] = true;
      parts_.texts[static_cast<size_t>(id)] = bytes_of(token).value_or(token);
    }
    std::array<int32_t, 256> byte_ids{};
    for (size_t byte = 0; byte < 256; ++byte) {
      const std::string& character = byte_level_characters()[byte];
      const auto found = ids_.find(character);
      if (found == ids_.end()) {
        throw base::Error(label_, ": its vocab lacks the token ", character, " for the byte ", byte,
                          ", so some texts could not be encoded; train the tokenizer again with "
                          "all 256 bytes (initial_alphabet=ByteLevel.alphabet())");
      }
      byte_ids[byte] = found->second;
    }
    parts_.pairs = BytePairs(byte_ids);
    read_merges(member(model, "merges"));
    ignore_merges_ = flag(model, "ignore_merges", false);
  }

  void read_merges(const Json& merges) {
    if (!merges.is_array()) malformed("its model has no merges");
    const auto known = [&](const std::string& token, size_t row) {
      const auto found = ids_.find(token);
      if (found == ids_.end())
        malformed("merge ", row, " names ", Json(token).dump(), ", which its vocab lacks");
      return found->second;
    };
    for (size_t row = 0; row < merges.size(); ++row) {
      const Json& merge = merges[row];
      std::string left, right;
      if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
        left = merge[0];
        right = merge[1];
      } else if (merge.is_string()) {
        const std::string both = merge;
        const size_t space = both.find(' ');
        if (space == std::string::npos || both.find(' ', space + 1) != std::string::npos)
          malformed("merge ", row, ", ", merge.dump(), ", is not two tokens");
        left = both.substr(0, space);
        right = both.substr(space + 1);
      } else {
        malformed("merge ", row, " is not two tokens");
      }
      const int32_t left_id = known(left, row), right_id = known(right, row);
      parts_.pairs.add_merge(left_id, right_id, known(left + right, row));
    }
  }

  void read_added_tokens(const std::string& end_of_text) {
    const Json& added = member(file_, "added_tokens");
    if (!added.is_null() && !added.is_array()) malformed("its added_tokens are no list");
    for (const Json& row : added) {
      if (!row.is_object() || !member(row, "content").is_string() || row["content"] == "")
        malformed("an added token has no content");
      AddedToken token;
      token.content = row["content"];
      token.id = id_of(member(row, "id"), token.content);
      if (flag(row, "single_word", false)) {
        unsupported("the added token " + row["content"].dump(), "one with single_word");
      }
      token.left_strip = flag(row, "lstrip", false);
      token.right_strip = flag(row, "rstrip", false);
      token.normalized = flag(row, "normalized", true);
      token.special = flag(row, "special", false);
      const auto known = ids_.find(token.content);
      if (known != ids_.end() && known->second != token.id) {
        malformed("the added token ", row["content"].dump(), " has the id ", token.id, ", but ",
                  known->second, " in its vocab");
      }
      ids_.emplace(token.content, token.id);
      if (static_cast<size_t>(token.id) >= parts_.texts.size())
        parts_.texts.resize(static_cast<size_t>(token.id) + 1);
      parts_.texts[static_cast<size_t>(token.id)] = token.content;
      tokens_.push_back(token);
    }
    choose_end_of_text(end_of_text);
    if (ignore_merges_) {
      for (const auto& [token, id] : ids_) {
        if (const auto bytes = bytes_of(token)) parts_.whole.emplace(*bytes, id);
      }
      for (const AddedToken& token : tokens_) parts_.whole.erase(token.content);
    }
  }

  void choose_end_of_text(const std::string& asked) {
    std::string name = asked;
    for (const std::string_view known : kEndNames) {
      if (name.empty() && ids_.contains(std::string(known))) name = known;
    }
    const auto found = ids_.find(name);
    if (name.empty() || found == ids_.end()) {
      throw base::Error(label_, ": ",
                        name.empty() ? "no token of it is known to end a text"
                                     : "it has no token " + Json(name).dump(),
                        "; put a tokenizer_config.json with \"eos_token\", the token that follows "
                        "each document, next to it");
    }
    parts_.end_of_text = found->second;
    parts_.end_of_text_token = name;
    parts_.texts[static_cast<size_t>(found->second)] = kEndOfText;
    for (AddedToken& token : tokens_) token.special |= token.id == found->second;
  }

  void read_normalizer(const Json& normalizer) {
    if (normalizer.is_null()) return;
    const std::string type = kind(normalizer, "normalizer");
    if (type == "NFC") {
      parts_.nfc = true;
    } else if (type == "Sequence") {
      const Json& all = member(normalizer, "normalizers");
      if (!all.is_array()) malformed("its normalizer has no list of normalizers");
      for (const Json& one : all) read_normalizer(one);
    } else {
      unsupported("its normalizer", type);
    }
  }

  void place_added_tokens() {
    for (AddedToken& token : tokens_) {
      if (token.normalized && parts_.nfc) token.content = nfc(token.content);
      const char first = static_cast<char>(token.content[0] | 0x20);
      const bool takes_line_end = token.left_strip && first >= 'a' && first <= 'z';
      if (takes_line_end || token.content.find('\n') != std::string::npos)
        parts_.line_ends_are_borders = false;
      (token.normalized ? parts_.normalized_tokens : parts_.raw_tokens).add(token);
    }
  }

  void read_pre_tokenizer(const Json& pre) {
    if (pre.is_null()) return;
    const std::string type = kind(pre, "pre_tokenizer");
    if (has_bytes_) unsupported("its pre_tokenizer", type + " after ByteLevel");
    if (type == "Sequence") {
      const Json& all = member(pre, "pretokenizers");
      if (!all.is_array()) malformed("its pre_tokenizer has no list of pretokenizers");
      for (const Json& one : all) read_pre_tokenizer(one);
    } else if (type == "ByteLevel") {
      if (flag(pre, "add_prefix_space", true)) {
        unsupported("its pre_tokenizer", "ByteLevel with add_prefix_space");
      }
      has_bytes_ = true;
      if (flag(pre, "use_regex", true)) parts_.splits.emplace_back(kGpt2);
    } else if (type == "Digits") {
      parts_.splits.push_back(SplitPattern::digits(flag(pre, "individual_digits", false)));
    } else if (type == "Split") {
      read_split(pre);
    } else {
      unsupported("its pre_tokenizer", type);
    }
  }

  void read_split(const Json& split) {
    const Json& behavior = member(split, "behavior");
    if (behavior != "Isolated")
      unsupported("its pre_tokenizer", "Split with the behavior " + behavior.dump());
    const Json& pattern = member(split, "pattern");
    const Json& regex = pattern.is_object() ? member(pattern, "Regex") : Json();
    const Json& literal = pattern.is_object() ? member(pattern, "String") : Json();
    const bool is_literal = literal.is_string() && literal != "";
    if (!regex.is_string() && !is_literal) malformed("a Split of its pre_tokenizer has no pattern");
    const std::string expression = regex.is_string() ? regex : literal;
    parts_.line_ends_are_borders &=
        regex.is_string() &&
        std::ranges::find(kBorderedAtLineEnds, expression) != std::end(kBorderedAtLineEnds);
    try {
      parts_.splits.push_back(regex.is_string() ? SplitPattern(expression)
                                                : SplitPattern::literal(expression));
    } catch (const base::Error& error) {
      unsupported("its pre_tokenizer", base::str("Split; ", error.what()));
    }
  }

  void check_decoder(const Json& decoder) {
    if (decoder.is_null()) return;
    const std::string type = kind(decoder, "decoder");
    if (type != "ByteLevel") unsupported("its decoder", type);
  }

  const Json& file_;
  const std::string& label_;
  ByteLevelParts& parts_;
  std::unordered_map<std::string, int32_t> ids_;
  std::vector<AddedToken> tokens_;
  bool ignore_merges_ = false, has_bytes_ = false;
};

// Whether transformers would add ids to a text, or cut it: nothing of that happens in training.
bool strip_additions(Json& file) {
  bool changed = false;
  for (const char* name : {"truncation", "padding"}) {
    if (!file.contains(name) || file[name].is_null()) continue;
    file[name] = nullptr;
    changed = true;
  }
  const auto adds = [](const Json& processor) {
    return processor.is_object() && processor.value("type", "") != "ByteLevel";
  };
  if (file.contains("post_processor") && adds(file["post_processor"])) {
    file["post_processor"] = nullptr;
    changed = true;
  }
  return changed;
}

}  // namespace

const std::vector<std::string>& byte_level_characters() {
  static const std::vector<std::string> characters = [] {
    std::vector<std::string> made(256);
    char32_t next = 256;
    for (char32_t b = 0; b < 256; ++b) {
      const bool printable =
          (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || (b >= 0xAE && b <= 0xFF);
      append_utf8(made[b], printable ? b : next++);
    }
    return made;
  }();
  return characters;
}

ByteLevelParts read_tokenizer_json(std::string json, const std::string& end_of_text,
                                   const std::string& label) {
  Json file = Json::parse(json, nullptr, false);
  if (!file.is_object()) {
    throw base::Error(label, ": not a JSON object, so no tokenizer.json; get the file again");
  }
  ByteLevelParts parts;
  JsonReader(file, label, parts).read(end_of_text);
  parts.json = strip_additions(file) ? file.dump() + "\n" : std::move(json);
  return parts;
}

}  // namespace muonlab::data
