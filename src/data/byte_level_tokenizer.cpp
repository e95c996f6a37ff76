#include "data/byte_level.hpp"
#include "data/hugging_face.hpp"
#include "data/pretoken_cache.hpp"
#include "data/token_texts.hpp"
#include "data/unicode.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/hash.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/data/pretoken.hpp"

namespace muonlab::data {

namespace {

// Longer pretokens are not kept: they hardly come again.
constexpr size_t kMaxKeptBytes = 256;

size_t valid_length(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    if (static_cast<uint8_t>(text[at]) < 0x80) {
      ++at;
      continue;
    }
    const size_t length = utf8_character_length(text.substr(at, 4));
    if (length == 0) break;
    at += length;
  }
  return at;
}

class ByteLevelTokenizer : public Tokenizer {
 public:
  explicit ByteLevelTokenizer(ByteLevelParts parts)
      : parts_(std::move(parts)), owner_(PretokenCache::new_owner()) {
    hash_ = base::hash_text("muonlab tokenizer.json 1\n" + parts_.end_of_text_token + "\n" +
                            parts_.json)
                .hex();
  }

  std::vector<int32_t> encode(std::string_view text) const override {
    std::vector<int32_t> ids;
    ids.reserve(text.size() / 3 + 8);
    Out out{PretokenCache::of(owner_), ids};
    while (!text.empty()) {
      const size_t valid = valid_length(text);
      if (valid > 0) encode_valid(text.substr(0, valid), out);
      if (valid < text.size()) parts_.pairs.encode(text.substr(valid, 1), ids);
      text.remove_prefix(std::min(text.size(), valid + 1));
    }
    return ids;
  }

  std::string decode(std::span<const int32_t> ids) const override {
    return joined_texts(parts_.texts, ids);
  }

  size_t last_safe_cut(std::string_view text) const override {
    if (!parts_.line_ends_are_borders) return 0;
    const auto letter = [&](size_t at) {
      const char c = static_cast<char>(text[at] | 0x20);
      return c >= 'a' && c <= 'z';
    };
    const auto digit = [&](size_t at) { return text[at] >= '0' && text[at] <= '9'; };
    for (size_t at = text.size(); at-- > 2;) {
      if (text[at - 1] == '\n' && letter(at) && (letter(at - 2) || digit(at - 2))) return at;
    }
    return 0;
  }

  int64_t vocabulary() const override { return static_cast<int64_t>(parts_.texts.size()); }
  int32_t end_of_text() const override { return parts_.end_of_text; }
  std::string hash() const override { return hash_; }
  std::string description() const override {
    return base::str("byte-level bpe ", base::with_commas(vocabulary()));
  }
  std::map<std::string, std::string> files() const override {
    return {{"tokenizer.json", parts_.json},
            {"tokenizer_config.json", tokenizer_config_file(parts_.end_of_text_token, "json")}};
  }
  std::vector<std::string> defining_files() const override {
    return {"tokenizer.json", "tokenizer_config.json"};
  }

 private:
  struct Out {
    PretokenCache& cache;
    std::vector<int32_t>& ids;
  };

  void encode_valid(std::string_view text, Out& out) const {
    find_tokens(parts_.raw_tokens, text, out, [&](std::string_view part) {
      const std::string composed = parts_.nfc && may_change_by_nfc(part) ? nfc(part) : "";
      if (!composed.empty()) part = composed;
      find_tokens(parts_.normalized_tokens, part, out,
                  [&](std::string_view piece) { split(0, piece, out); });
    });
  }

  template <class Take>
  static void find_tokens(const AddedTokens& tokens, std::string_view text, Out& out,
                          const Take& take) {
    if (tokens.empty()) {
      take(text);
    } else {
      tokens.split(text, take, [&](int32_t id) { out.ids.push_back(id); });
    }
  }

  void split(size_t stage, std::string_view text, Out& out) const {
    if (stage == parts_.splits.size()) {
      encode_pretoken(text, out);
      return;
    }
    for (size_t at = 0; at < text.size();) {
      const auto [begin, end] = parts_.splits[stage].find(text, at);
      if (begin > at) split(stage + 1, text.substr(at, begin - at), out);
      if (end > begin) split(stage + 1, text.substr(begin, end - begin), out);
      at = end;
    }
  }

  void encode_pretoken(std::string_view text, Out& out) const {
    const auto make = [this](std::string_view piece, std::vector<int32_t>& ids) {
      if (!parts_.whole.empty()) {
        if (const auto found = parts_.whole.find(std::string(piece)); found != parts_.whole.end()) {
          ids.push_back(found->second);
          return;
        }
      }
      parts_.pairs.encode(piece, ids);
    };
    if (text.size() > kMaxKeptBytes) {
      make(text, out.ids);
    } else {
      out.cache.append(text, out.ids, make);
    }
  }

  ByteLevelParts parts_;
  uint64_t owner_;
  std::string hash_;
};

}  // namespace

std::shared_ptr<const Tokenizer> make_byte_level_tokenizer(ByteLevelParts parts) {
  return std::make_shared<ByteLevelTokenizer>(std::move(parts));
}

std::shared_ptr<const Tokenizer> make_json_tokenizer(std::string json,
                                                     const std::string& end_of_text,
                                                     const std::string& label) {
  return make_byte_level_tokenizer(read_tokenizer_json(std::move(json), end_of_text, label));
}

}  // namespace muonlab::data
