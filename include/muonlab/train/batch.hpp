// Samples of a corpus as the model reads them.
#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include "muonlab/data/corpus.hpp"

namespace muonlab::train {

struct Batch {
  at::Tensor tokens_bt, targets_bt;  // int64 [b, t]
};
// Samples first .. first + count - 1; `window` reads validation windows in file order instead.
Batch read_batch(const data::Corpus& corpus, int64_t first, int64_t count, int64_t context,
                 bool window, at::Device device);

}  // namespace muonlab::train
