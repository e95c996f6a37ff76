// Inputs cut into pieces of about a mebibyte that can be handled apart: texts at borders of
// pretokens, JSON lines at line ends.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/byte_stream.hpp"
#include "muonlab/data/inputs.hpp"

namespace muonlab::data {

inline constexpr size_t kChunkBytes = 1 << 20;
inline constexpr size_t kMaxJsonLineBytes = 64 << 20;

struct Chunk {
  const Input* input = nullptr;
  std::string text;
  int64_t first_line = 1;      // of JSON lines
  bool ends_document = false;  // of a text: this is its last chunk
  uint64_t done_bytes = 0;     // of all inputs, on disk, when this chunk had been read
};

class ChunkReader {
 public:
  // The inputs outlive the reader and its chunks. kChunkBytes is the default for chunk_bytes; tests
  // take less.
  explicit ChunkReader(const std::vector<Input>& inputs, size_t chunk_bytes = kChunkBytes);
  std::optional<Chunk> next();
  uint64_t total_bytes() const { return total_bytes_; }

 private:
  size_t cut_of(const Input& input, std::string_view text) const;

  const std::vector<Input>& inputs_;
  size_t chunk_bytes_;
  uint64_t total_bytes_ = 0, finished_bytes_ = 0;
  size_t current_ = 0;
  std::unique_ptr<ByteStream> stream_;
  std::string rest_;  // read, but not yet handed out
  int64_t line_ = 1;
};

// Calls take(text, ends_document) for the texts of a chunk: itself, or the string `field` of each
// of its JSON lines. Throws Error naming file and line.
void for_each_text(const Chunk& chunk, const std::string& field,
                   const std::function<void(std::string_view text, bool ends_document)>& take);

}  // namespace muonlab::data
