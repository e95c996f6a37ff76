#include <vector>

#include <ATen/ATen.h>

#include "muonlab/train/batch.hpp"

namespace muonlab::train {

Batch read_batch(const data::Corpus& corpus, int64_t first, int64_t count, int64_t context,
                 bool window, at::Device device) {
  at::Tensor ids = at::empty({count, context + 1}, at::TensorOptions().dtype(at::kLong));
  std::vector<int32_t> sample(static_cast<size_t>(context + 1));
  int64_t* to = ids.mutable_data_ptr<int64_t>();
  for (int64_t i = 0; i < count; ++i) {
    if (window) {
      corpus.window(first + i, sample);
    } else {
      corpus.sample(first + i, sample);
    }
    to = std::copy(sample.begin(), sample.end(), to);
  }
  ids = ids.to(device);
  return {ids.narrow(1, 0, context).contiguous(), ids.narrow(1, 1, context).contiguous()};
}

}  // namespace muonlab::train
