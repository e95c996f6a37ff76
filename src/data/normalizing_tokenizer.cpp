// Sentencepiece models that add a space before a text, remove spaces or change characters, as those
// of Llama 2 and Mistral. For BPE the normalized text is cut before the spaces, which no piece
// reaches over, and each word is encoded by itself. Unigram models see whole texts: sentencepiece
// adds up scores from the beginning, and where two cuts of a word score about equally, their
// rounding decides.
#include <algorithm>
#include <array>

#include "data/character_map.hpp"
#include "data/hugging_face.hpp"
#include "data/pretoken_cache.hpp"
#include "data/sentencepiece_model.hpp"
#include "data/token_texts.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/hash.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/data/sentencepiece_pieces.hpp"

namespace muonlab::data {

namespace {

constexpr size_t kMaxKeptWord = 256;  // bytes; longer ones hardly come again

bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

// Where the word at the beginning of a normalized text ends: before a space that follows something
// else.
size_t word_end(std::string_view text) {
  size_t at = 0;
  while (text.substr(at).starts_with(kSpaceSymbol)) at += kSpaceSymbol.size();
  return std::min(text.find(kSpaceSymbol, at), text.size());
}

class NormalizingTokenizer : public Tokenizer {
 public:
  NormalizingTokenizer(std::string model_bytes, const ModelSettings& settings,
                       const std::string& label)
      : model_(std::move(model_bytes)), settings_(settings), owner_(PretokenCache::new_owner()) {
    // First, since sentencepiece uses the characters' table while it loads a model, unchecked.
    const std::vector<CharacterRule> rules = read_character_map(settings.character_map, label);
    load_pieces(normalizer_, model_, label);
    load_pieces(words_, without_normalization(model_, label), label);
    pieces_ = read_sentence_pieces(model_, label);
    read_texts(label);
    find_borders(rules, label);
    hash_ = base::hash_text("muonlab sentencepiece 1\n" + model_).hex();
  }

  std::vector<int32_t> encode(std::string_view text) const override {
    return encode_normalized(normalized(text));
  }

  std::vector<int32_t> encode_rest(std::string_view text) const override {
    // A character stands for the text before; nothing joins with it.
    std::string whole(1, before_);
    whole += text;
    const std::string made = normalized(whole);
    const size_t begin = made.find(before_);
    base::check(begin == 0 || (begin == kSpaceSymbol.size() && made.starts_with(kSpaceSymbol)),
                "a normalized text begins with its first character");
    return encode_normalized(std::string_view(made).substr(begin + 1));
  }

  std::string decode(std::span<const int32_t> ids) const override { return decode(ids, false); }
  std::string decode_start(std::span<const int32_t> ids) const override {
    return decode(ids, true);
  }

  size_t last_safe_cut(std::string_view text) const override {
    if (!is_bpe()) return 0;
    for (size_t at = text.size(); at-- > 1;) {
      if (text[at] == ' ' && cuts_at_spaces_ && is_alphanumeric(text[at - 1])) return at;
      if (text[at - 1] == '\n' && cuts_at_line_ends_) return at;
    }
    return 0;
  }

  int64_t vocabulary() const override { return static_cast<int64_t>(texts_.size()); }
  int32_t end_of_text() const override { return words_.eos_id(); }
  std::string hash() const override { return hash_; }
  std::string description() const override {
    return base::str(is_bpe() ? "bpe " : "unigram ", base::with_commas(vocabulary()));
  }
  std::map<std::string, std::string> files() const override {
    auto files = hugging_face_normalizing_files(pieces_, settings_, end_of_text());
    files["tokenizer.model"] = model_;
    return files;
  }
  std::vector<std::string> defining_files() const override { return {"tokenizer.model"}; }

 private:
  bool is_bpe() const { return settings_.model_type == 2; }

  void read_texts(const std::string& label) {
    std::array<bool, 256> has_byte{};
    texts_.resize(pieces_.size());
    for (size_t i = 0; i < pieces_.size(); ++i) {
      const int id = static_cast<int>(i);
      const std::string& piece = pieces_[i].text;
      if (words_.IsByte(id)) {  // "<0x41>"
        const int byte = std::stoi(piece.substr(3, 2), nullptr, 16);
        has_byte[static_cast<size_t>(byte)] = true;
        texts_[i] = static_cast<char>(byte);
      } else if (id == words_.eos_id()) {
        texts_[i] = kEndOfText;
      } else if (!words_.IsControl(id)) {
        texts_[i] = with_spaces(words_.IsUnknown(id) ? words_.DecodeIds({id}) : piece);
        if (!words_.IsUnknown(id) && word_end(piece) < piece.size()) {
          refuse_model(label, base::str("has pieces that reach over the end of a word, such as \"",
                                        piece, "\" (split_by_whitespace=false)"));
        }
      }
    }
    if (!std::all_of(has_byte.begin(), has_byte.end(), [](bool has) { return has; }))
      refuse_model(label, "lacks some of the 256 byte pieces");
  }

  // Where a text may be cut, and which character can stand for the text before a part.
  void find_borders(const std::vector<CharacterRule>& rules, const std::string& label) {
    cuts_at_line_ends_ = rules.empty();
    std::string usable;
    for (char c = '!'; c <= '~'; ++c) usable += c;
    const auto drop = [&](char c) { std::erase(usable, c); };
    for (const CharacterRule& rule : rules) {
      drop(rule.from.front());
      if (rule.from.find(' ', 1) != std::string::npos) cuts_at_spaces_ = false;
      if (is_alphanumeric(rule.from.back()) && (rule.to.empty() || rule.to.back() == ' '))
        cuts_at_spaces_ = false;
    }
    for (size_t id = 0; id < pieces_.size(); ++id) {
      const SentencePiece& piece = pieces_[id];
      if (piece.type != kNormal && piece.type != kUserDefined) continue;
      if (piece.type == kUserDefined) drop(piece.text.front());
      if (piece.text.find(' ') != std::string::npos) cuts_at_spaces_ = false;
      if (piece.text.size() > 1 && piece.text.find('\n') != std::string::npos)
        cuts_at_line_ends_ = false;
    }
    if (usable.empty()) refuse_model(label, "changes all ASCII characters");
    before_ = usable.front();
  }

  std::string normalized(std::string_view text) const {
    std::string result;
    const auto status = normalizer_.Normalize({text.data(), text.size()}, &result);
    base::check(status.ok(), std::string("sentencepiece: ") + status.error_message());
    return result;
  }

  std::vector<int32_t> encode_normalized(std::string_view text) const {
    PretokenCache& cache = PretokenCache::of(owner_);
    std::vector<int32_t> ids;
    ids.reserve(text.size() / 3 + 8);
    const auto make = [this](std::string_view word, std::vector<int32_t>& made) {
      std::vector<int> fresh;
      const auto status = words_.Encode({word.data(), word.size()}, &fresh);
      base::check(status.ok(), std::string("sentencepiece: ") + status.error_message());
      made.insert(made.end(), fresh.begin(), fresh.end());
    };
    while (!text.empty()) {
      const std::string_view word = text.substr(0, is_bpe() ? word_end(text) : text.size());
      text.remove_prefix(word.size());
      if (!is_bpe() || word.size() > kMaxKeptWord) {
        make(word, ids);
      } else {
        cache.append(word, ids, make);
      }
    }
    return ids;
  }

  std::string decode(std::span<const int32_t> ids, bool starts) const {
    const bool strips = settings_.add_dummy_prefix || settings_.remove_extra_whitespaces;
    std::string text;
    for (const int32_t id : ids) {
      const std::string piece = joined_texts(texts_, {&id, 1});
      const bool added = starts && strips && !words_.IsByte(id) && piece.starts_with(' ');
      const std::string_view shown = std::string_view(piece).substr(added ? 1 : 0);
      text += shown;
      const bool still_starts =
          shown.empty() && (piece.empty() || settings_.remove_extra_whitespaces);
      starts = id == end_of_text() || (starts && still_starts);
    }
    return text;
  }

  static constexpr int kNormal = 1, kUserDefined = 4;

  std::string model_, hash_;
  ModelSettings settings_;
  // One knows the normalization, the other takes words as they are.
  sentencepiece::SentencePieceProcessor normalizer_, words_;
  std::vector<SentencePiece> pieces_;
  std::vector<std::string> texts_;
  bool cuts_at_spaces_ = true, cuts_at_line_ends_ = true;
  char before_ = 0;
  uint64_t owner_;
};

}  // namespace

std::shared_ptr<const Tokenizer> make_normalizing_tokenizer(std::string model_bytes,
                                                            const ModelSettings& settings,
                                                            const std::string& label) {
  return std::make_shared<NormalizingTokenizer>(std::move(model_bytes), settings, label);
}

}  // namespace muonlab::data
