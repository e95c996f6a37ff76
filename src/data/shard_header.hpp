// The 128 bytes at the beginning of a shard (docs/formats.md, "Token shards").
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>

#include "muonlab/data/shard.hpp"

namespace muonlab::data {

std::array<std::byte, kShardHeaderBytes> format_header(const ShardHeader& header);

// `bytes` holds the first kShardHeaderBytes of a shard of file_bytes, or fewer where there are
// fewer. Throws Error naming path, field and offset.
ShardHeader parse_header(std::span<const std::byte> bytes, uint64_t file_bytes,
                         const std::string& path);

}  // namespace muonlab::data
