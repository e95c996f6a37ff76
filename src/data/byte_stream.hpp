// A file's bytes in order, unpacked if it is compressed, without holding more than a buffer.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "muonlab/data/inputs.hpp"

namespace muonlab::data {

class ByteStream {
 public:
  virtual ~ByteStream() = default;
  // fills out unless the end comes first; 0 at the end
  virtual size_t read(std::span<char> out) = 0;
  virtual uint64_t file_position() const = 0;  // bytes of the file consumed
};

// Throws Error naming the file: when it cannot be read, when compressed data are damaged or cut
// short. `field`: the column of a Parquet file, whose rows come as JSON lines.
std::unique_ptr<ByteStream> open_stream(const Input& input, const std::string& field = "text");

}  // namespace muonlab::data
