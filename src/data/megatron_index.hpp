// The .idx beside a .bin of Megatron-LM and GPT-NeoX.
#pragma once

#include <cstdint>
#include <string>

namespace muonlab::data {

struct MegatronIndex {
  uint32_t id_bytes = 2;  // 2 or 4
  uint64_t num_tokens = 0;
};

// Throws Error naming the field that is wrong, or what is not supported: the sequences must lie in
// the .bin one behind the other, as its tools write them.
MegatronIndex read_megatron_index(const std::string& path);

}  // namespace muonlab::data
