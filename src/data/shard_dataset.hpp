#pragma once

#include "muonlab/data/corpus.hpp"

namespace muonlab::data {

Dataset open_shards(const config::ShardsConfig& config, int64_t context, int64_t seed);

}  // namespace muonlab::data
