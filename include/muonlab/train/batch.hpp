// Samples of a corpus as the model reads them.
#pragma once

#include <cstdint>
#include <span>

#include <ATen/core/Tensor.h>

#include "muonlab/data/corpus.hpp"

namespace muonlab::train {

struct Batch {
  at::Tensor tokens_bt, targets_bt;  // int64 [b, t]
};
// Samples first .. first + count - 1.
Batch read_batch(const data::Corpus& corpus, int64_t first, int64_t count, int64_t context,
                 at::Device device);
// The windows of these numbers, in file order.
Batch read_windows(const data::Corpus& corpus, std::span<const int64_t> windows, int64_t context,
                   at::Device device);

}  // namespace muonlab::train
