#include "data/chunk_reader.hpp"

#include <algorithm>

#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/data/pretoken.hpp"

namespace muonlab::data {

ChunkReader::ChunkReader(const std::vector<Input>& inputs, const ReadOptions& options,
                         size_t chunk_bytes, Cut cut)
    : inputs_(inputs),
      field_(options.field),
      split_at_(options.split_at),
      chunk_bytes_(std::max(chunk_bytes, 2 * kMaxPretokenBytes)),
      last_safe_cut_(std::move(cut)) {
  for (const Input& input : inputs) total_bytes_ += input.file_bytes;
}

// Where documents are split the cut lies in the last of them, before anything that may turn out to
// be the beginning of a separator.
size_t ChunkReader::text_cut(std::string_view text) {
  begins_document_ = false;
  if (split_at_.empty()) return last_safe_cut_(text);
  size_t start = 0;
  for (size_t at = 0; (at = text.find(split_at_, start)) != std::string_view::npos;)
    start = at + split_at_.size();
  const std::string_view last = text.substr(start);
  const size_t held_back = std::min(last.size(), split_at_.size() - 1);
  const size_t inside = last_safe_cut_(last.substr(0, last.size() - held_back));
  begins_document_ = inside == 0;
  return start + inside;
}

bool ChunkReader::cut(const Input& input, bool at_end, Chunk& chunk) {
  size_t taken = 0;
  if (input.kind == InputKind::json) {
    taken = splitter_->split(rest_, at_end, chunk.text, chunk.lines);
  } else {
    const size_t line_feed = rest_.rfind('\n');
    taken = at_end                          ? rest_.size()
            : input.kind == InputKind::text ? text_cut(rest_)
            : line_feed == rest_.npos       ? 0
                                            : line_feed + 1;
    chunk.text.assign(rest_, 0, taken);
    line_ += std::count(chunk.text.begin(), chunk.text.end(), '\n');
  }
  rest_.erase(0, taken);
  return at_end || !chunk.text.empty();
}

std::optional<Chunk> ChunkReader::next() {
  if (current_ == inputs_.size()) return std::nullopt;
  const Input& input = inputs_[current_];
  if (!stream_) {
    stream_ = open_stream(input, field_);
    splitter_.emplace(input.path);
  }
  Chunk chunk;
  chunk.input = &input;
  chunk.first_line = line_;
  chunk.begins_document = begins_document_;
  bool at_end = false, whole = false;
  while (!whole) {
    const size_t old_size = rest_.size();
    if (old_size > kMaxJsonValueBytes) {
      throw base::Error(input.path, ":", line_,
                        input.kind == InputKind::text
                            ? ": a text without a place to cut it of more than "
                            : ": a JSON value of more than ",
                        base::human_bytes(kMaxJsonValueBytes), "; split it");
    }
    rest_.resize(old_size + chunk_bytes_);
    const size_t count = stream_->read({rest_.data() + old_size, chunk_bytes_});
    rest_.resize(old_size + count);
    at_end = count < chunk_bytes_;
    whole = cut(input, at_end, chunk);
  }
  chunk.ends_document = at_end;
  chunk.done_bytes = finished_bytes_ + stream_->file_position();
  if (at_end) {
    finished_bytes_ += input.file_bytes;
    chunk.done_bytes = finished_bytes_;
    stream_.reset();
    line_ = 1;
    begins_document_ = true;
    ++current_;
  }
  return chunk;
}

}  // namespace muonlab::data
