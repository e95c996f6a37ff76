#include "data/hugging_face.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/hash.hpp"
#include "muonlab/data/tokenizer.hpp"

namespace muonlab::data {

namespace {

class ByteTokenizer : public Tokenizer {
 public:
  std::vector<int32_t> encode(std::string_view text) const override {
    std::vector<int32_t> ids(text.size());
    for (size_t i = 0; i < text.size(); ++i) ids[i] = static_cast<uint8_t>(text[i]);
    return ids;
  }
  std::string decode(std::span<const int32_t> ids) const override {
    std::string text;
    text.reserve(ids.size());
    for (const int32_t id : ids) {
      if (id < 0 || id > 256) {
        throw base::Error("token id ", id, " is not in the byte tokenizer's vocabulary of 257");
      }
      if (id == 256) {
        text += kEndOfText;
      } else {
        text += static_cast<char>(id);
      }
    }
    return text;
  }
  int64_t vocabulary() const override { return 257; }
  int32_t end_of_text() const override { return 256; }
  std::string hash() const override { return base::hash_text("muonlab byte tokenizer 1").hex(); }
  std::string description() const override { return "byte"; }
  std::map<std::string, std::string> files() const override { return hugging_face_byte_files(); }
  std::vector<std::string> defining_files() const override { return {}; }
};

}  // namespace

std::shared_ptr<const Tokenizer> make_byte_tokenizer() { return std::make_shared<ByteTokenizer>(); }

}  // namespace muonlab::data
