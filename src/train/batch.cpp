#include <vector>

#include <ATen/ATen.h>

#include "muonlab/train/batch.hpp"

namespace muonlab::train {

namespace {

// read(i, ids) fills the context + 1 ids of row i.
template <class Read>
Batch make_batch(int64_t count, int64_t context, at::Device device, Read read) {
  at::Tensor ids = at::empty({count, context + 1}, at::TensorOptions().dtype(at::kLong));
  std::vector<int32_t> sample(static_cast<size_t>(context + 1));
  int64_t* to = ids.mutable_data_ptr<int64_t>();
  for (int64_t i = 0; i < count; ++i) {
    read(i, std::span(sample));
    to = std::copy(sample.begin(), sample.end(), to);
  }
  ids = ids.to(device);
  return {ids.narrow(1, 0, context).contiguous(), ids.narrow(1, 1, context).contiguous()};
}

}  // namespace

Batch read_batch(const data::Corpus& corpus, int64_t first, int64_t count, int64_t context,
                 at::Device device) {
  return make_batch(count, context, device,
                    [&](int64_t i, std::span<int32_t> ids) { corpus.sample(first + i, ids); });
}

Batch read_windows(const data::Corpus& corpus, std::span<const int64_t> windows, int64_t context,
                   at::Device device) {
  return make_batch(std::ssize(windows), context, device, [&](int64_t i, std::span<int32_t> ids) {
    corpus.window(windows[static_cast<size_t>(i)], ids);
  });
}

}  // namespace muonlab::train
