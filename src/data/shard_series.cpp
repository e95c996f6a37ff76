#include "data/shard_series.hpp"

#include <algorithm>
#include <iomanip>
#include <sstream>

#include "muonlab/base/file.hpp"

namespace muonlab::data {

void ShardSeries::add(std::span<const int32_t> ids, uint64_t text_bytes) {
  while (!ids.empty()) {
    if (!writer_) open_next();
    const auto space = static_cast<size_t>(shard_tokens_ - writer_->num_tokens());
    if (ids.size() < space) {
      writer_->add(ids, text_bytes);
      return;
    }
    const auto part = ids.first(space);
    // Where the tokenizer changes the text, the ids' bytes differ from the text's.
    const uint64_t part_bytes =
        space == ids.size() ? text_bytes : std::min(text_bytes, bytes_of(part));
    writer_->add(part, part_bytes);
    close();
    ids = ids.subspan(space);
    text_bytes -= part_bytes;
  }
}

void ShardSeries::close() {
  if (!writer_) return;
  const ShardHeader header = writer_->finish();
  totals_.num_tokens += header.num_tokens;
  totals_.num_documents += header.num_documents;
  totals_.text_bytes += header.text_bytes;
  writer_.reset();
}

uint64_t ShardSeries::num_tokens() const {
  return totals_.num_tokens + (writer_ ? static_cast<uint64_t>(writer_->num_tokens()) : 0);
}

void ShardSeries::open_next() {
  ShardHeader header;
  header.vocabulary = static_cast<uint64_t>(tokenizer_.vocabulary());
  header.id_bytes = header.vocabulary <= (1 << 16) ? 2 : 4;
  header.end_of_text = static_cast<uint32_t>(tokenizer_.end_of_text());
  header.tokenizer_hash = *base::parse_hash(tokenizer_.hash());
  std::ostringstream name;
  name << "shard-" << std::setw(5) << std::setfill('0') << totals_.shards.size() << kShardExtension;
  totals_.shards.push_back(name.str());
  writer_ = std::make_unique<ShardWriter>(base::join_path(folder_, name.str()), header);
}

uint64_t ShardSeries::bytes_of(std::span<const int32_t> ids) const {
  const auto ends = std::count(ids.begin(), ids.end(), tokenizer_.end_of_text());
  return tokenizer_.decode(ids).size() - static_cast<uint64_t>(ends) * kEndOfText.size();
}

}  // namespace muonlab::data
