// The GGUF format, version 3 (ggml-org/ggml, docs/gguf.md): key-value pairs, then tensors.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "muonlab/base/file.hpp"

namespace muonlab::store {

using GgufValue = std::variant<bool, uint32_t, int32_t, float, std::string, std::vector<int32_t>,
                               std::vector<float>, std::vector<std::string>>;
using GgufPairs = std::vector<std::pair<std::string, GgufValue>>;

// By the format's numbers.
enum class GgufType : uint32_t { f32 = 0, f16 = 1, q8_0 = 8, bf16 = 30 };
// Q8_0 stores so many numbers of a row as one block: a scale in fp16, and a byte each.
inline constexpr int64_t kGgufBlock = 32;
uint64_t gguf_bytes(GgufType type, int64_t numbers);
const char* gguf_type_name(GgufType type);  // "F32", "Q8_0"

// A tensor to write: fp32, row-major, with its dimensions in PyTorch's order; owned by someone
// else.
struct GgufTensor {
  std::string name;
  std::vector<int64_t> shape;
  const float* values = nullptr;
  GgufType type = GgufType::f32;

  int64_t count() const;
};

// Numbers as they are stored: fp16 and bf16 round to the nearest, ties to even; Q8_0 as ggml's own
// code makes it (scale = largest magnitude / 127 in fp16, quotients rounded half away from zero).
std::vector<std::byte> gguf_encode(const float* values, int64_t count, GgufType type);

// Writes and syncs the file, which may not exist. Throws IoError; Bug for a shape that the type
// cannot hold.
void write_gguf(base::FileSystem& files, const std::string& path, const GgufPairs& pairs,
                const std::vector<GgufTensor>& tensors);

}  // namespace muonlab::store
