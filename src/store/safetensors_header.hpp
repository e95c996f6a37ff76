// The JSON header of a safetensors file, checked claim by claim while it is parsed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "muonlab/store/safetensors.hpp"

namespace muonlab::store {

struct HeaderTensor {
  TensorView view;              // without bytes
  uint64_t begin = 0, end = 0;  // within the data; end - begin is what dtype and shape ask for
  uint64_t position = 0;        // byte in the file where its entry ends, for messages
};

struct Header {
  std::vector<HeaderTensor> tensors;  // in the order of the header
  Metadata metadata;
};

// Size in bytes that dtype and shape ask for; nothing for an unknown dtype, a negative extent or
// overflow.
std::optional<uint64_t> tensor_bytes(std::string_view dtype, const std::vector<int64_t>& shape);

// `json` starts at byte `offset` of the file `path`. Throws Error naming file, tensor, field and
// byte. Whether the tensors cover the data is the caller's to check.
Header parse_header(const std::string& path, std::string_view json, uint64_t offset);

}  // namespace muonlab::store
