// The batches of the path cuda: read into pinned memory and copied to the device while it computes.
#pragma once

#include <cstdint>
#include <optional>

#include <ATen/core/Tensor.h>
#include <c10/core/Event.h>
#include <c10/core/Stream.h>

#include "muonlab/data/corpus.hpp"

namespace muonlab::train {

class BatchFeed {
 public:
  BatchFeed(at::Device device, int64_t count, int64_t context);

  // Reads samples first … first + count - 1 and starts their copy, beside what the device does.
  void fetch(const data::Corpus& corpus, int64_t first);
  // Enqueues the samples' tokens and targets into these int64 [count, context] tensors, which keep
  // their place from step to step; fetches them first where that has not been done.
  void take(const data::Corpus& corpus, int64_t first, const at::Tensor& tokens_bt,
            const at::Tensor& targets_bt);

 private:
  at::Device device_;
  int64_t context_;
  at::Tensor pinned_, ids_;  // int64 [count, context + 1], on the host and on the device
  std::optional<c10::Stream> copies_;
  std::optional<c10::Event> copied_, taken_;
  int64_t fetched_ = -1;  // first sample of what ids_ will hold
};

}  // namespace muonlab::train
