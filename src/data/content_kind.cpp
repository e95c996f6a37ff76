#include "data/content_kind.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "muonlab/base/error.hpp"
#include "muonlab/data/pretoken.hpp"

namespace muonlab::data {

namespace {

using namespace std::string_view_literals;

struct Signature {
  std::string_view bytes;
  const char* what;
  const char* remedy;
  size_t offset = 0;
};

constexpr const char* kToJsonLines =
    "convert it to JSON lines first (Python: pandas.read_…(\"FILE\").to_json(\"FILE.jsonl\", "
    "orient=\"records\", lines=True))";
constexpr const char* kUnpack = "unpack it first";
constexpr const char* kToText = "convert it to a text file first";
constexpr const char* kNotHere = "name text files, or folders of them";

constexpr std::array kSignatures{
    Signature{"PAR1"sv, "Parquet data", kUnpack},
    Signature{"ARROW1"sv, "Arrow data", kToJsonLines},
    Signature{"\xFF\xFF\xFF\xFF"sv, "an Arrow stream", kToJsonLines},
    Signature{"Obj\x01"sv, "Avro data", kToJsonLines},
    Signature{"SQLite format 3"sv, "an SQLite database", kToJsonLines},
    Signature{"\x89HDF"sv, "HDF5 data", kToJsonLines},
    Signature{"\x93NUMPY"sv, "a NumPy array", kToText},
    Signature{"1AY&SY"sv, "bzip2 data", kUnpack, 4},
    Signature{"\xFD\x37zXZ\0"sv, "xz data", kUnpack},
    Signature{"\x04\x22\x4D\x18"sv, "lz4 data", kUnpack},
    Signature{"7z\xBC\xAF\x27\x1C"sv, "a 7z archive", kUnpack},
    Signature{"Rar!\x1A"sv, "a RAR archive", kUnpack},
    Signature{"PK\x03\x04"sv, "a ZIP archive (or a document or model in one)", kUnpack},
    Signature{"ustar"sv, "a tar archive", kUnpack, 257},
    Signature{"%PDF-"sv, "a PDF document", kToText},
    Signature{"\xD0\xCF\x11\xE0"sv, "an old Office document", kToText},
    Signature{"\x89PNG"sv, "a picture", kNotHere},
    Signature{"\xFF\xD8\xFF"sv, "a picture", kNotHere},
    Signature{"\x7F"
              "ELF"sv,
              "a program", kNotHere},
    Signature{"MUONTOKS"sv, "token shards, which are made already", kNotHere},
};

constexpr const char* kUtf16 =
    "holds UTF-16 text; convert it first: iconv -f UTF-16 -t UTF-8 FILE > FILE.utf8.txt";

// Text in UTF-16 without a mark: every other byte of its ASCII characters is zero.
bool looks_like_utf16(std::string_view head) {
  size_t zeros[2] = {0, 0};
  for (size_t i = 0; i < head.size(); ++i) zeros[i % 2] += head[i] == '\0';
  const size_t half = head.size() / 2;
  return half > 0 && ((zeros[0] * 10 > half * 3 && zeros[1] * 20 < half) ||
                      (zeros[1] * 10 > half * 3 && zeros[0] * 20 < half));
}

size_t count_control(std::string_view head) {
  return static_cast<size_t>(std::count_if(head.begin(), head.end(), [](char c) {
    return static_cast<uint8_t>(c) < 0x20 && "\t\n\v\f\r\b\x1B"sv.find(c) == std::string_view::npos;
  }));
}

}  // namespace

Packing packing_of(std::string_view head) {
  if (head.starts_with("\x1F\x8B"sv)) return Packing::gzip;
  if (head.starts_with("\x28\xB5\x2F\xFD"sv)) return Packing::zstd;
  if (head.starts_with("PAR1"sv)) return Packing::parquet;
  const bool skippable =
      head.size() >= 4 && (head[0] & 0xF0) == 0x50 && head.substr(1, 3) == "\x2A\x4D\x18"sv;
  return skippable ? Packing::zstd : Packing::none;
}

size_t first_invalid_utf8(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    uint64_t eight;
    while (at + 8 <= text.size() &&
           (std::memcpy(&eight, text.data() + at, 8), (eight & 0x8080808080808080u) == 0)) {
      at += 8;
    }
    if (at == text.size()) break;
    const size_t length = utf8_character_length(text.substr(at, 4));
    if (length == 0) return at;
    at += length;
  }
  return std::string_view::npos;
}

std::string not_utf8(char byte) {
  constexpr const char* kDigits = "0123456789ABCDEF";
  const auto value = static_cast<uint8_t>(byte);
  return base::str("byte 0x", kDigits[value >> 4], kDigits[value & 15],
                   " is not UTF-8; text in Latin-1 or Windows-1252 is converted by: iconv -f "
                   "WINDOWS-1252 -t UTF-8 FILE > FILE.utf8.txt");
}

std::optional<std::string> why_no_text(std::string_view head) {
  for (const Signature& signature : kSignatures) {
    if (head.size() >= signature.offset + signature.bytes.size() &&
        head.substr(signature.offset).starts_with(signature.bytes)) {
      return base::str("holds ", signature.what, "; ", signature.remedy);
    }
  }
  if (head.starts_with("\xFF\xFE"sv) || head.starts_with("\xFE\xFF"sv) || looks_like_utf16(head)) {
    return kUtf16;
  }
  const size_t invalid = first_invalid_utf8(head);
  // A character may be cut at the end of `head`.
  const bool valid = invalid == std::string_view::npos || invalid + 3 >= head.size();
  const size_t control = count_control(head);
  if (control * 3 > head.size() || (!valid && control * 20 > head.size())) {
    return base::str("holds binary data, not text; ", kNotHere);
  }
  return std::nullopt;
}

}  // namespace muonlab::data
