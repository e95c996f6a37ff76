// Token files of other programs as shards: one pass finds their hash, checks their ids, and counts
// documents and bytes of text.
#include <array>
#include <cstring>

#include "data/token_file.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/data/shard.hpp"

namespace muonlab::data {

Shard Shard::open(const std::string& path, const TokenFileOptions& options) {
  base::ReadableFile file(path);
  std::array<char, 8> magic{};
  if (file.size() >= magic.size()) file.read(0, std::as_writable_bytes(std::span(magic)));
  if (std::string_view(magic.data(), magic.size()) == "MUONTOKS" ||
      path.ends_with(kShardExtension)) {
    return Shard(path);
  }
  Shard shard(std::move(file));
  shard.read_foreign(options);
  return shard;
}

void Shard::read_foreign(const TokenFileOptions& options) {
  const TokenFile found = read_token_file(file_, options.id_bytes);
  format_ = found.format;
  first_byte_ = found.first_byte;
  header_.id_bytes = found.id_bytes;
  header_.num_tokens = found.num_tokens;
  const Tokenizer* tokenizer = options.tokenizer.get();
  if (options.vocabulary) {
    header_.vocabulary = static_cast<uint64_t>(*options.vocabulary);
  } else if (tokenizer) {
    header_.vocabulary = static_cast<uint64_t>(tokenizer->vocabulary());
  } else if (found.vocabulary) {
    header_.vocabulary = *found.vocabulary;
  } else {
    throw base::Error(path(), ": a ", format_,
                      " token file does not say how many ids there are; set data.tokenizer to the "
                      "tokenizer.json or .model it was made with, or data.vocabulary");
  }
  if (header_.vocabulary > (1 << 24)) {
    throw base::Error(path(), ": names a vocabulary of ", header_.vocabulary,
                      ", more than 16,777,216; the file is damaged, get it again");
  }
  if (options.end_of_text) {
    header_.end_of_text = static_cast<uint32_t>(*options.end_of_text);
  } else if (tokenizer) {
    header_.end_of_text = static_cast<uint32_t>(tokenizer->end_of_text());
  } else if (format_ == "llm.c" && header_.vocabulary == 50257) {
    header_.end_of_text = 50256;  // GPT-2's
  } else {
    throw base::Error(path(), ": a ", format_,
                      " token file does not say which id is between documents; set data.tokenizer, "
                      "or data.end_of_text");
  }
  if (header_.end_of_text >= header_.vocabulary) {
    throw base::Error(path(), ": the end-of-text id ", header_.end_of_text,
                      " is not below the vocabulary of ", header_.vocabulary,
                      "; correct data.end_of_text or data.vocabulary");
  }
  count_foreign(tokenizer);
}

void Shard::count_foreign(const Tokenizer* tokenizer) {
  std::vector<uint32_t> lengths, start_lengths;  // within a text, at its beginning
  if (tokenizer) {
    for (int32_t id = 0; id < tokenizer->vocabulary(); ++id) {
      const bool ends = id == static_cast<int32_t>(header_.end_of_text);
      lengths.push_back(ends ? 0 : static_cast<uint32_t>(tokenizer->decode({&id, 1}).size()));
      start_lengths.push_back(
          ends ? 0 : static_cast<uint32_t>(tokenizer->decode_start({&id, 1}).size()));
    }
    header_.tokenizer_hash = *base::parse_hash(tokenizer->hash());
  }
  base::Hasher hasher;
  bool starts = true;
  std::vector<int32_t> ids;
  std::vector<std::byte> stored;
  for (uint64_t first = 0; first < header_.num_tokens; first += ids.size()) {
    ids.resize(std::min<uint64_t>(1 << 18, header_.num_tokens - first));
    read(static_cast<int64_t>(first), ids);
    stored.resize(ids.size() * header_.id_bytes);
    for (size_t i = 0; i < ids.size(); ++i) {
      std::memcpy(stored.data() + i * header_.id_bytes, &ids[i], header_.id_bytes);
      const auto id = static_cast<uint32_t>(ids[i]);
      header_.num_documents += id == header_.end_of_text;
      if (id < lengths.size()) header_.text_bytes += (starts ? start_lengths : lengths)[id];
      starts = id == header_.end_of_text;
    }
    hasher.add(stored);
  }
  header_.content_hash = hasher.finish();
}

}  // namespace muonlab::data
