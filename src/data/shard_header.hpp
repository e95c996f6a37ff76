// The 128 bytes at the beginning of a shard (docs/formats.md, "Token shards").
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>

#include "muonlab/data/shard.hpp"

namespace muonlab::data {

std::array<std::byte, kShardHeaderBytes> format_header(const ShardHeader& header);

// `file` holds the whole shard. Throws Error naming path, field and offset.
ShardHeader parse_header(std::span<const std::byte> file, const std::string& path);

}  // namespace muonlab::data
