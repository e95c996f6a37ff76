#include <algorithm>
#include <array>

#include <sentencepiece_processor.h>

#include "data/hugging_face.hpp"
#include "data/pretoken_cache.hpp"
#include "data/sentencepiece_model.hpp"
#include "data/token_texts.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/hash.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/data/pretoken.hpp"
#include "muonlab/data/tokenizer.hpp"

namespace muonlab::data {

namespace {

class SentencePieceTokenizer : public Tokenizer {
 public:
  SentencePieceTokenizer(std::string model_bytes, const std::string& label, bool bpe)
      : model_(std::move(model_bytes)), bpe_(bpe), owner_(PretokenCache::new_owner()) {
    const auto refuse = [&](const std::string& what) { refuse_model(label, what); };
    load_pieces(processor_, model_, label);
    read_pieces();
    for (const int32_t id : byte_ids_) {
      if (id < 0) refuse("lacks some of the 256 byte pieces");
    }
    if (const std::string piece = crossing_piece(); !piece.empty()) {
      refuse(base::str("has pieces that reach over the end of a word, such as \"", piece,
                       "\" (split_by_whitespace=false)"));
    }
    hash_ = base::hash_text("muonlab pretokens 1\n" + model_).hex();
  }

  std::vector<int32_t> encode(std::string_view text) const override {
    PretokenCache& cache = PretokenCache::of(owner_);
    std::vector<int32_t> ids;
    ids.reserve(text.size() / 3 + 8);
    while (!text.empty()) {
      const Pretoken pretoken = first_pretoken(text);
      text.remove_prefix(pretoken.text.size());
      if (pretoken.kind == PretokenKind::raw) {
        for (const char byte : pretoken.text) ids.push_back(byte_ids_[static_cast<uint8_t>(byte)]);
        continue;
      }
      cache.append(pretoken.text, ids, [this](std::string_view piece, std::vector<int32_t>& made) {
        const auto fresh = encode_pretoken(piece);
        made.insert(made.end(), fresh.begin(), fresh.end());
      });
    }
    return ids;
  }

  std::string decode(std::span<const int32_t> ids) const override {
    return joined_texts(texts_, ids);
  }

  int64_t vocabulary() const override { return static_cast<int64_t>(texts_.size()); }
  int32_t end_of_text() const override { return processor_.eos_id(); }
  std::string hash() const override { return hash_; }
  std::string description() const override {
    return base::str(bpe_ ? "bpe " : "unigram ", base::with_commas(vocabulary()));
  }

  std::map<std::string, std::string> files() const override {
    std::vector<HfPiece> pieces(texts_.size());
    for (int id = 0; id < static_cast<int>(pieces.size()); ++id) {
      pieces[id] = {with_spaces(processor_.IdToPiece(id)), processor_.GetScore(id),
                    processor_.IsUnknown(id) || processor_.IsControl(id), processor_.IsByte(id)};
    }
    auto files = hugging_face_files(pieces, bpe_, processor_.unk_id(), end_of_text());
    files["tokenizer.model"] = model_;
    return files;
  }
  std::vector<std::string> defining_files() const override { return {"tokenizer.model"}; }

 private:
  void read_pieces() {
    const int count = processor_.GetPieceSize();
    texts_.resize(count);
    byte_ids_.fill(-1);
    for (int id = 0; id < count; ++id) {
      const std::string& piece = processor_.IdToPiece(id);
      if (processor_.IsByte(id)) {  // "<0x41>"
        const int byte = std::stoi(piece.substr(3, 2), nullptr, 16);
        byte_ids_[byte] = id;
        texts_[id] = static_cast<char>(byte);
      } else {
        texts_[id] = id == processor_.eos_id() ? std::string(kEndOfText) : with_spaces(piece);
      }
    }
  }

  // A piece that no single pretoken holds: encoding pretoken by pretoken would never find it, and
  // give other ids than sentencepiece. Empty where there is none.
  std::string crossing_piece() const {
    for (int id = 0; id < static_cast<int>(texts_.size()); ++id) {
      const bool is_text = !processor_.IsByte(id) && !processor_.IsControl(id) &&
                           !processor_.IsUnknown(id) && !processor_.IsUnused(id);
      const std::string& text = texts_[id];
      if (is_text && !text.empty() && first_pretoken(text).text.size() < text.size()) return text;
    }
    return "";
  }

  std::vector<int32_t> encode_pretoken(std::string_view pretoken) const {
    std::vector<int> ids;
    const auto status = processor_.Encode({pretoken.data(), pretoken.size()}, &ids);
    base::check(status.ok(), std::string("sentencepiece: ") + status.error_message());
    return {ids.begin(), ids.end()};
  }

  std::string model_, hash_;
  sentencepiece::SentencePieceProcessor processor_;
  bool bpe_;
  uint64_t owner_;
  std::vector<std::string> texts_;
  std::array<int32_t, 256> byte_ids_;
};

}  // namespace

std::string with_spaces(std::string_view piece) {
  std::string text;
  for (size_t at = 0; at < piece.size();) {
    const bool space = piece.substr(at, kSpaceSymbol.size()) == kSpaceSymbol;
    text += space ? ' ' : piece[at];
    at += space ? kSpaceSymbol.size() : 1;
  }
  return text;
}

void refuse_model(const std::string& label, const std::string& what) {
  throw base::Error(label, ": this sentencepiece model ", what,
                    "; take another one, or train one with `muonlab data tokenizer`");
}

void load_pieces(sentencepiece::SentencePieceProcessor& processor, const std::string& model,
                 const std::string& label) {
  if (const auto status = processor.LoadFromSerializedProto(model); !status.ok())
    refuse_model(label, std::string("cannot be loaded (") + status.error_message() + ")");
  if (processor.eos_id() < 0) refuse_model(label, "has no end-of-text id");
}

std::shared_ptr<const Tokenizer> make_sentencepiece_tokenizer(std::string model_bytes,
                                                              const std::string& label) {
  const ModelSettings settings = read_model_settings(model_bytes, label);
  if (settings.model_type != 1 && settings.model_type != 2)
    refuse_model(label, "is neither BPE nor unigram");
  if (!settings.byte_fallback)
    refuse_model(label, "has no byte fallback, so characters that it does not know would be lost");
  if (!settings.escape_whitespaces) refuse_model(label, "does not escape spaces");
  if (settings.denormalizes) refuse_model(label, "changes texts when it decodes them");
  if (settings.treat_whitespace_as_suffix)
    refuse_model(label, "puts spaces at the end of words (treat_whitespace_as_suffix=true)");
  if (settings.character_map.empty() && !settings.add_dummy_prefix &&
      !settings.remove_extra_whitespaces)
    return std::make_shared<SentencePieceTokenizer>(std::move(model_bytes), label,
                                                    settings.model_type == 2);
  return make_normalizing_tokenizer(std::move(model_bytes), settings, label);
}

}  // namespace muonlab::data
