// Attention of new positions over those that were read before.
#pragma once

#include "muonlab/ops/attention.hpp"

namespace muonlab::ops {

// Keys and values of a layer's positions, [b, key heads, room, head_dim] in the compute dtype, keys
// after norm and rotation; undefined before the first position.
struct LayerCache {
  at::Tensor& keys;
  at::Tensor& values;
};

// What self_attention gives at the positions from `first` on, whose packed rows are qkv [b * t,
// packed width]: [b * t, query width]. The cache holds the `first` positions before them; theirs
// are added. No graph; qkv stays as it is.
at::Tensor cached_attention(const at::Tensor& qkv, int64_t num_sequences, int64_t first,
                            const AttentionSpec& spec, const RotaryTable& rotary,
                            const HeadGains& gains, LayerCache cache);

}  // namespace muonlab::ops
