#include "data/chunk_reader.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/data/pretoken.hpp"

namespace muonlab::data {

ChunkReader::ChunkReader(const std::vector<Input>& inputs, size_t chunk_bytes)
    : inputs_(inputs), chunk_bytes_(std::max(chunk_bytes, 2 * kMaxPretokenBytes)) {
  for (const Input& input : inputs) total_bytes_ += input.file_bytes;
}

size_t ChunkReader::cut_of(const Input& input, std::string_view text) const {
  if (input.kind == InputKind::text) return last_safe_cut(text);
  const size_t end = text.rfind('\n');
  return end == std::string_view::npos ? 0 : end + 1;
}

std::optional<Chunk> ChunkReader::next() {
  if (current_ == inputs_.size()) return std::nullopt;
  const Input& input = inputs_[current_];
  if (!stream_) stream_ = open_stream(input);

  bool at_end = false;
  size_t cut = 0;
  while (cut == 0 && !at_end) {
    const size_t old_size = rest_.size();
    if (old_size > kMaxJsonLineBytes) {
      throw base::Error(input.path, ":", line_, ": a JSON line of more than ",
                        base::human_bytes(kMaxJsonLineBytes), "; split it");
    }
    rest_.resize(old_size + chunk_bytes_);
    const size_t count = stream_->read({rest_.data() + old_size, chunk_bytes_});
    rest_.resize(old_size + count);
    at_end = count < chunk_bytes_;
    cut = at_end ? rest_.size() : cut_of(input, rest_);
  }
  Chunk chunk{&input, rest_.substr(0, cut), line_, at_end,
              finished_bytes_ + stream_->file_position()};
  rest_.erase(0, cut);
  if (input.kind == InputKind::json_lines) {
    line_ += std::count(chunk.text.begin(), chunk.text.end(), '\n');
  }
  if (at_end) {
    finished_bytes_ += input.file_bytes;
    chunk.done_bytes = finished_bytes_;
    stream_.reset();
    line_ = 1;
    ++current_;
  }
  return chunk;
}

void for_each_text(const Chunk& chunk, const std::string& field,
                   const std::function<void(std::string_view text, bool ends_document)>& take) {
  if (chunk.input->kind == InputKind::text) {
    take(chunk.text, chunk.ends_document);
    return;
  }
  std::string_view rest = chunk.text;
  for (int64_t line = chunk.first_line; !rest.empty(); ++line) {
    const std::string_view row = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), row.size() + 1));
    if (base::trim(row).empty()) continue;
    const auto fail = [&](const std::string& what) {
      throw base::Error(chunk.input->path, ":", line, ": ", what);
    };
    nlohmann::json value;
    try {
      value = nlohmann::json::parse(row);
    } catch (const nlohmann::json::exception& error) {
      std::string reason =
          error.what();  // "[json.exception.parse_error.101] parse error at line 1, column 9: …"
      reason = reason.substr(std::min(reason.size(), reason.find("] ") + 2));
      fail("not valid JSON (" + reason + ")");
    }
    if (!value.is_object()) fail("expected a JSON object with a field \"" + field + "\"");
    const auto found = value.find(field);
    if (found == value.end()) fail("no field \"" + field + "\"; name another one with --field");
    if (!found->is_string()) fail("field \"" + field + "\" is not a string");
    take(found->get_ref<const std::string&>(), true);
  }
}

}  // namespace muonlab::data
