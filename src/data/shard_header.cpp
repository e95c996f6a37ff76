#include "data/shard_header.hpp"

#include <cstring>
#include <string_view>

#include "muonlab/base/error.hpp"

namespace muonlab::data {

namespace {

constexpr std::string_view kMagic = "MUONTOKS";
constexpr uint32_t kVersion = 1;

constexpr size_t kVersionAt = 8, kIdBytesAt = 12, kVocabularyAt = 16, kTokensAt = 24,
                 kDocumentsAt = 32, kTextBytesAt = 40, kEndOfTextAt = 48, kReservedAt = 52,
                 kTokenizerHashAt = 56, kReserved2At = 72, kContentHashAt = 80, kReserved3At = 96,
                 kHeaderHashAt = 112;

template <class T>
T load(std::span<const std::byte> bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

template <class T>
void store(std::span<std::byte> bytes, size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

base::Hash128 load_hash(std::span<const std::byte> bytes, size_t at) {
  return {load<uint64_t>(bytes, at), load<uint64_t>(bytes, at + 8)};
}

void store_hash(std::span<std::byte> bytes, size_t at, const base::Hash128& hash) {
  store(bytes, at, hash.high);
  store(bytes, at + 8, hash.low);
}

}  // namespace

std::array<std::byte, kShardHeaderBytes> format_header(const ShardHeader& header) {
  std::array<std::byte, kShardHeaderBytes> bytes{};
  std::memcpy(bytes.data(), kMagic.data(), kMagic.size());
  store(bytes, kVersionAt, kVersion);
  store(bytes, kIdBytesAt, header.id_bytes);
  store(bytes, kVocabularyAt, header.vocabulary);
  store(bytes, kTokensAt, header.num_tokens);
  store(bytes, kDocumentsAt, header.num_documents);
  store(bytes, kTextBytesAt, header.text_bytes);
  store(bytes, kEndOfTextAt, header.end_of_text);
  store_hash(bytes, kTokenizerHashAt, header.tokenizer_hash);
  store_hash(bytes, kContentHashAt, header.content_hash);
  store_hash(bytes, kHeaderHashAt, base::hash_bytes(std::span(bytes).first(kHeaderHashAt)));
  return bytes;
}

ShardHeader parse_header(std::span<const std::byte> bytes, uint64_t file_bytes,
                         const std::string& path) {
  const auto refuse = [&](std::string_view field, size_t at, const auto&... what) {
    throw base::Error(path, ": ", field, " (offset ", at, ") ", what...,
                      "; make the shard again with `muonlab data tokens`");
  };
  if (bytes.size() < kShardHeaderBytes) {
    throw base::Error(path, ": ", file_bytes, " bytes are no token shard, the header alone takes ",
                      kShardHeaderBytes);
  }
  if (std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0) {
    throw base::Error(path, ": magic (offset 0) is not \"", kMagic,
                      "\": this is no token shard; make one with `muonlab data tokens`");
  }
  if (const auto version = load<uint32_t>(bytes, kVersionAt); version != kVersion) {
    refuse("version", kVersionAt, "is ", version, ", this program reads ", kVersion);
  }
  // Next the fields, so that a wrong one is named; the hash finds what is wrong but plausible.
  ShardHeader header;
  header.id_bytes = load<uint32_t>(bytes, kIdBytesAt);
  header.vocabulary = load<uint64_t>(bytes, kVocabularyAt);
  header.num_tokens = load<uint64_t>(bytes, kTokensAt);
  header.num_documents = load<uint64_t>(bytes, kDocumentsAt);
  header.text_bytes = load<uint64_t>(bytes, kTextBytesAt);
  header.end_of_text = load<uint32_t>(bytes, kEndOfTextAt);
  header.tokenizer_hash = load_hash(bytes, kTokenizerHashAt);
  header.content_hash = load_hash(bytes, kContentHashAt);
  if (header.id_bytes != 2 && header.id_bytes != 4) {
    refuse("id_bytes", kIdBytesAt, "is ", header.id_bytes, ", not 2 or 4");
  }
  const uint64_t max_vocabulary = header.id_bytes == 2 ? uint64_t{1} << 16 : uint64_t{1} << 31;
  if (header.vocabulary == 0 || header.vocabulary > max_vocabulary) {
    refuse("vocabulary", kVocabularyAt, "is ", header.vocabulary, ", not 1 to ", max_vocabulary);
  }
  const uint64_t content_bytes = file_bytes - kShardHeaderBytes;
  if (content_bytes % header.id_bytes != 0 ||
      header.num_tokens != content_bytes / header.id_bytes) {
    refuse("num_tokens", kTokensAt, "is ", header.num_tokens, ", but ", content_bytes,
           " bytes follow the header: ", content_bytes / header.id_bytes, " ids of ",
           header.id_bytes, " bytes");
  }
  if (header.num_documents > header.num_tokens) {
    refuse("num_documents", kDocumentsAt, "is ", header.num_documents, ", more than num_tokens");
  }
  if (header.end_of_text >= header.vocabulary) {
    refuse("end_of_text", kEndOfTextAt, "is ", header.end_of_text, ", not below the vocabulary");
  }
  for (const auto& [first, last] :
       {std::pair{kReservedAt, kTokenizerHashAt}, std::pair{kReserved2At, kContentHashAt},
        std::pair{kReserved3At, kHeaderHashAt}}) {
    for (size_t at = first; at < last; ++at) {
      if (bytes[at] != std::byte{0}) refuse("reserved", at, "is not zero");
    }
  }
  if (load_hash(bytes, kHeaderHashAt) != base::hash_bytes(bytes.first(kHeaderHashAt))) {
    refuse("header_hash", kHeaderHashAt, "does not match the header");
  }
  return header;
}

}  // namespace muonlab::data
