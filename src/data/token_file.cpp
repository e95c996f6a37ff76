// The layouts are in docs/formats.md, "Token files of other programs".
#include "data/token_file.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <vector>

#include "data/megatron_index.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"

namespace muonlab::data {

namespace {

constexpr size_t kHeaderBytes = 1024;  // of llm.c and llm.q
constexpr std::string_view kLlmqMagic = "BIN.TOK\n";
constexpr std::string_view kNumpyMagic = "\x93NUMPY";

class TokenFileReader {
 public:
  TokenFileReader(const base::ReadableFile& file, uint32_t headerless_bytes)
      : file_(file), headerless_bytes_(headerless_bytes) {
    head_.resize(static_cast<size_t>(std::min<uint64_t>(file.size(), kHeaderBytes)));
    file.read(0, std::as_writable_bytes(std::span(head_)));
  }

  TokenFile read() {
    const std::string& path = file_.path();
    if (head_.starts_with(kNumpyMagic)) return numpy();
    if (head_.starts_with(kLlmqMagic)) return llmq();
    if (path.ends_with(".bin")) {
      const std::string index = path.substr(0, path.size() - 3) + "idx";
      if (base::real_file_system().exists(index)) {
        const MegatronIndex found = read_megatron_index(index);
        return checked("Megatron", found.id_bytes, 0, found.num_tokens);
      }
    }
    if (head_.size() >= 12) {
      const uint32_t magic = word(0);
      if (magic == 20240520 || magic == 20240801) return llmc(magic);
    }
    if (path.ends_with(".ds") && headerless_bytes_ == 0) headerless_bytes_ = datatrove_width();
    if (headerless_bytes_ == 0) {
      throw base::Error(path,
                        ": its first bytes are none of a known token file (muonlab, llm.c, llm.q, "
                        "NumPy); if it holds nothing but ids, as nanoGPT's and OLMo's files "
                        "do, set data.format to uint16 or uint32");
    }
    if (file_.size() % headerless_bytes_ != 0) {
      wrong("its ", file_.size(), " bytes are no whole number of ids of ", headerless_bytes_,
            " bytes; the file was cut, or data.format is wrong");
    }
    return {path.ends_with(".ds") ? "datatrove" : "headerless", headerless_bytes_, 0,
            file_.size() / headerless_bytes_, std::nullopt};
  }

 private:
  template <class... Parts>
  [[noreturn]] void wrong(const Parts&... what) const {
    throw base::Error(file_.path(), ": ", what...);
  }
  template <class... Parts>
  [[noreturn]] void damaged(const Parts&... what) const {
    wrong(what..., "; the file is damaged or was cut, get it again");
  }
  uint32_t word(size_t index) const {
    uint32_t value = 0;
    std::memcpy(&value, head_.data() + 4 * index, 4);
    return value;
  }

  // Whether the file ends right behind the ids.
  TokenFile checked(std::string_view format, uint32_t id_bytes, uint64_t first_byte,
                    uint64_t num_tokens) const {
    const uint64_t room = file_.size() - std::min(first_byte, file_.size());
    if (room % id_bytes != 0 || room / id_bytes != num_tokens) {
      damaged("its header names ", num_tokens, " tokens of ", id_bytes, " bytes, but ", room,
              " bytes follow it");
    }
    return {format, id_bytes, first_byte, num_tokens, std::nullopt};
  }

  TokenFile llmc(uint32_t magic) const {
    const uint32_t version = word(1), expected = magic == 20240520 ? 1 : 7;
    if (version != expected) {
      wrong("llm.c version (offset 4) is ", version, ", but ", expected, " belongs to the magic ",
            magic, "; muonlab knows no other");
    }
    if (head_.size() < kHeaderBytes) damaged("it ends within its header of 1,024 bytes");
    if (word(2) > 0x7FFFFFFF) damaged("its number of tokens (offset 8) is negative");
    for (size_t i = 3; i < kHeaderBytes / 4; ++i) {
      if (word(i) != 0) damaged("its header is not zero at offset ", 4 * i);
    }
    TokenFile found = checked("llm.c", expected == 1 ? 2 : 4, kHeaderBytes, word(2));
    if (expected == 1) found.vocabulary = 50257;  // GPT-2's, of which the magic speaks
    return found;
  }

  TokenFile llmq() const {
    if (head_.size() < kHeaderBytes) damaged("it ends within its header of 1,024 bytes");
    const uint32_t version = word(2), id_bytes = word(3), count = word(4);
    if (version != 1 && version != 2)
      wrong("llm.q version (offset 8) is ", version, ", not 1 or 2");
    if (id_bytes != 4) wrong("llm.q bytes per token (offset 12) is ", id_bytes, ", not 4");
    if (count > 0x7FFFFFFF) damaged("its number of tokens (offset 16) is negative");
    const uint32_t masked = version == 2 ? word(6) : 0;
    if (masked > 1) damaged("llm.q mask flag (offset 24) is ", masked, ", not 0 or 1");
    const uint64_t mask_bytes = masked == 1 ? (uint64_t{count} + 7) / 8 : 0;
    if (file_.size() != kHeaderBytes + uint64_t{count} * 4 + mask_bytes) {
      damaged("its header names ", count, " tokens", masked == 1 ? " with a mask" : "", ", but ",
              file_.size() - kHeaderBytes, " bytes follow it");
    }
    if (masked == 1) check_mask(kHeaderBytes + uint64_t{count} * 4, count);
    TokenFile found{"llm.q", 4, kHeaderBytes, count, std::nullopt};
    if (version == 2 && word(5) > 0) found.vocabulary = word(5);
    return found;
  }

  void check_mask(uint64_t at, uint32_t count) const {
    std::vector<std::byte> mask((count + 7) / 8);
    file_.read(at, mask);
    for (uint32_t i = 0; i < count; ++i) {
      if (((mask[i / 8] >> (i % 8)) & std::byte{1}) == std::byte{0}) {
        wrong("its mask leaves token ", i,
              " out of the loss, which muonlab does not support: it trains on every token; write "
              "the file without a mask");
      }
    }
  }

  TokenFile numpy() const {
    if (head_.size() < 12) damaged("it ends within its NumPy header");
    const auto major = static_cast<uint8_t>(head_[6]);
    if (major < 1 || major > 3) wrong("NumPy version (offset 6) is ", int{major}, ", not 1 to 3");
    uint32_t length = word(2);
    const size_t begin = major == 1 ? 10 : 12;
    if (major == 1) length = static_cast<uint8_t>(head_[8]) + 256u * static_cast<uint8_t>(head_[9]);
    if (begin + length > head_.size())
      damaged("its NumPy header of ", length, " bytes is longer than the file or 1,024 bytes");
    const std::string text = head_.substr(begin, length);
    const std::string type = quoted_after(text, "'descr':");
    if (type != "<u2" && type != "<u4" && type != "<i4") {
      wrong("its NumPy type is '", type,
            "', not '<u2', '<u4' or '<i4'; convert it with "
            "array.astype(\"uint16\") or \"uint32\"");
    }
    if (text.find("'fortran_order': False") == std::string::npos &&
        text.find("'fortran_order': True") == std::string::npos)
      damaged("its NumPy header has no fortran_order");
    const size_t open = text.find("'shape': (");
    if (open == std::string::npos) damaged("its NumPy header has no shape");
    const char* at = text.data() + open + 10;
    uint64_t count = 0;
    const auto [end, error] = std::from_chars(at, text.data() + text.size(), count);
    if (error != std::errc()) damaged("its NumPy shape is no number");
    if (!std::string_view(end, text.data() + text.size()).starts_with(",)"))
      wrong("its NumPy array has not one dimension; convert it with array.reshape(-1)");
    return checked("NumPy", type == "<u2" ? 2 : 4, begin + length, count);
  }

  static std::string quoted_after(const std::string& text, std::string_view key) {
    size_t at = text.find(key);
    if (at == std::string::npos) return "";
    at = text.find('\'', at + key.size());
    const size_t end = at == std::string::npos ? at : text.find('\'', at + 1);
    return end == std::string::npos ? "" : text.substr(at + 1, end - at - 1);
  }

  // From NAME.ds.metadata, whose first line is TOKENIZER|WIDTH and whose second the number of ids.
  uint32_t datatrove_width() const {
    const std::string path = file_.path() + ".metadata";
    if (!base::real_file_system().exists(path)) return 0;
    const std::string text = base::read_text(path);
    const std::string line = text.substr(0, text.find('\n'));
    const size_t bar = line.rfind('|');
    const std::string width = bar == std::string::npos ? "" : line.substr(bar + 1);
    if (width != "2" && width != "4") {
      throw base::Error(path,
                        ": its first line does not end in |2 or |4, the bytes of an id; set "
                        "data.format to uint16 or uint32");
    }
    const uint32_t id_bytes = width == "2" ? 2 : 4;
    const std::string rest = text.substr(std::min(text.size(), line.size() + 1));
    const std::string count = rest.substr(0, rest.find('\n'));
    const std::string held = std::to_string(file_.size() / id_bytes);
    if (!count.empty() && count.find_first_not_of("0123456789") == std::string::npos &&
        count != held) {
      throw base::Error(file_.path(), ": holds ", held, " ids, but ", path, " says ", count,
                        "; the file is damaged, get it again");
    }
    return id_bytes;
  }

  const base::ReadableFile& file_;
  uint32_t headerless_bytes_;
  std::string head_;
};

}  // namespace

TokenFile read_token_file(const base::ReadableFile& file, uint32_t headerless_bytes) {
  return TokenFileReader(file, headerless_bytes).read();
}

}  // namespace muonlab::data
