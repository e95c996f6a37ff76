#include "data/model_proto.hpp"

#include <cstdint>
#include <cstring>

#include "muonlab/base/error.hpp"
#include "muonlab/data/sentencepiece_pieces.hpp"

namespace muonlab::data {

namespace {

// One pass over the fields of a protocol buffer message.
class Fields {
 public:
  Fields(std::string_view bytes, const std::string& label) : bytes_(bytes), label_(label) {}

  bool next() {
    if (at_ == bytes_.size()) return false;
    const size_t begin = at_;
    const uint64_t tag = varint();
    number = static_cast<int>(tag >> 3);
    value = 0;
    content = {};
    switch (tag & 7) {
      case 0: value = varint(); break;
      case 1: content = take(8); break;
      case 2: content = take(varint()); break;
      case 5: content = take(4); break;
      default: fail();
    }
    whole = bytes_.substr(begin, at_ - begin);
    return true;
  }

  int number = 0;
  uint64_t value = 0;        // of a varint field
  std::string_view content;  // of the others
  std::string_view whole;    // with its number

 private:
  uint64_t varint() {
    uint64_t result = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<uint8_t>(take(1)[0]);
      result |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return result;
    }
    fail();
  }
  std::string_view take(uint64_t count) {
    if (count > bytes_.size() - at_) fail();
    const std::string_view part = bytes_.substr(at_, count);
    at_ += count;
    return part;
  }
  [[noreturn]] void fail() const {
    throw base::Error(label_, ": not a sentencepiece model (malformed at byte ", at_,
                      "); make one with `muonlab data tokenizer`");
  }

  std::string_view bytes_;
  const std::string& label_;
  size_t at_ = 0;
};

}  // namespace

ModelSettings read_model_settings(std::string_view bytes, const std::string& label) {
  ModelSettings settings;
  Fields model(bytes, label);
  while (model.next()) {
    if (model.number == 2) {
      Fields trainer(model.content, label);
      while (trainer.next()) {
        if (trainer.number == 3) settings.model_type = static_cast<int>(trainer.value);
        if (trainer.number == 24) settings.treat_whitespace_as_suffix = trainer.value != 0;
        if (trainer.number == 35) settings.byte_fallback = trainer.value != 0;
      }
    } else if (model.number == 3) {
      Fields normalizer(model.content, label);
      while (normalizer.next()) {
        if (normalizer.number == 2) settings.character_map = normalizer.content;
        if (normalizer.number == 3) settings.add_dummy_prefix = normalizer.value != 0;
        if (normalizer.number == 4) settings.remove_extra_whitespaces = normalizer.value != 0;
        if (normalizer.number == 5) settings.escape_whitespaces = normalizer.value != 0;
      }
    } else if (model.number == 5) {
      Fields denormalizer(model.content, label);
      while (denormalizer.next())
        settings.denormalizes |= denormalizer.number == 2 && !denormalizer.content.empty();
    }
  }
  return settings;
}

std::string without_normalization(std::string_view bytes, const std::string& label) {
  // normalizer_spec = 3 with add_dummy_prefix = 3 and remove_extra_whitespaces = 4 set to false
  std::string result("\x1A\x04\x18\x00\x20\x00", 6);
  Fields model(bytes, label);
  while (model.next()) {
    constexpr int kNormalizer = 3, kSelfTest = 4;
    if (model.number != kNormalizer && model.number != kSelfTest) result += model.whole;
  }
  return result;
}

std::vector<SentencePiece> read_sentence_pieces(std::string_view bytes, const std::string& label) {
  std::vector<SentencePiece> pieces;
  Fields model(bytes, label);
  while (model.next()) {
    if (model.number != 1) continue;
    SentencePiece& piece = pieces.emplace_back();
    Fields fields(model.content, label);
    while (fields.next()) {
      if (fields.number == 1) piece.text = fields.content;
      if (fields.number == 2 && fields.content.size() == sizeof(float))
        std::memcpy(&piece.score, fields.content.data(), sizeof(float));
      if (fields.number == 3) piece.type = static_cast<int>(fields.value);
    }
  }
  return pieces;
}

SentencePieceKind sentencepiece_kind(std::string_view bytes, const std::string& label) {
  const ModelSettings settings = read_model_settings(bytes, label);
  return {settings.model_type == 2, !settings.character_map.empty(), settings.add_dummy_prefix,
          settings.remove_extra_whitespaces};
}

}  // namespace muonlab::data
