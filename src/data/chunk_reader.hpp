// Inputs cut into pieces of about a mebibyte that can be handled apart: texts at borders of
// pretokens, JSON between its values.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/byte_stream.hpp"
#include "data/json_splitter.hpp"
#include "muonlab/data/inputs.hpp"
#include "muonlab/data/pretoken.hpp"

namespace muonlab::data {

inline constexpr size_t kChunkBytes = 1 << 20;
inline constexpr size_t kMaxJsonValueBytes = 64 << 20;

struct Chunk {
  const Input* input = nullptr;
  std::string text;             // of JSON: a value a line
  int64_t first_line = 1;       // of the file
  std::vector<int64_t> lines;   // of JSON that is no JSON lines: where each value begins
  bool begins_document = true;  // no chunk before this one holds text of its first document
  bool ends_document = false;   // of a text: this is its last chunk
  uint64_t done_bytes = 0;      // of all inputs, on disk, when this chunk had been read
};

class ChunkReader {
 public:
  // Where text may be cut: Tokenizer::last_safe_cut, or last_safe_cut of pretoken.hpp.
  using Cut = std::function<size_t(std::string_view)>;
  // The inputs outlive the reader and its chunks. kChunkBytes is the default for chunk_bytes; tests
  // take less.
  explicit ChunkReader(const std::vector<Input>& inputs, const ReadOptions& options = {},
                       size_t chunk_bytes = kChunkBytes, Cut cut = last_safe_cut);
  std::optional<Chunk> next();
  uint64_t total_bytes() const { return total_bytes_; }

 private:
  // Fills the chunk from rest_ and takes from it what is whole; false when more must be read.
  bool cut(const Input& input, bool at_end, Chunk& chunk);
  size_t text_cut(std::string_view text);

  const std::vector<Input>& inputs_;
  std::string field_, split_at_;
  size_t chunk_bytes_;
  Cut last_safe_cut_;
  uint64_t total_bytes_ = 0, finished_bytes_ = 0;
  size_t current_ = 0;
  std::unique_ptr<ByteStream> stream_;
  std::optional<JsonSplitter> splitter_;
  std::string rest_;  // read, but not yet handed out
  int64_t line_ = 1;
  bool begins_document_ = true;  // of the next chunk
};

}  // namespace muonlab::data
