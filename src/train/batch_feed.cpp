#include "train/batch_feed.hpp"

#include <algorithm>
#include <span>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

namespace muonlab::train {

BatchFeed::BatchFeed(at::Device device, int64_t count, int64_t context)
    : device_(device), context_(context) {
  const auto options = at::TensorOptions().dtype(at::kLong);
  pinned_ = at::empty({count, context + 1}, options.pinned_memory(!device.is_cpu()));
  ids_ = at::empty({count, context + 1}, options.device(device));
  if (device.is_cpu()) return;
  copies_ = c10::impl::VirtualGuardImpl(device.type()).getStreamFromGlobalPool(ids_.device());
  copied_.emplace(device.type());
  taken_.emplace(device.type());
}

void BatchFeed::fetch(const data::Corpus& corpus, int64_t first) {
  if (copied_ && fetched_ >= 0) copied_->synchronize();  // pinned_ is being read until then
  std::vector<int32_t> sample(static_cast<size_t>(context_ + 1));
  int64_t* to = pinned_.mutable_data_ptr<int64_t>();
  for (int64_t i = 0; i < pinned_.size(0); ++i) {
    corpus.sample(first + i, std::span(sample));
    to = std::copy(sample.begin(), sample.end(), to);
  }
  fetched_ = first;
  if (!copies_) {
    ids_.copy_(pinned_);
    return;
  }
  const c10::StreamGuard guard(*copies_);
  taken_->block(*copies_);  // ids_ is being read until then
  ids_.copy_(pinned_, /*non_blocking=*/true);
  copied_->record(*copies_);
}

void BatchFeed::take(const data::Corpus& corpus, int64_t first, const at::Tensor& tokens_bt,
                     const at::Tensor& targets_bt) {
  if (fetched_ != first) fetch(corpus, first);
  const at::Tensor tokens = ids_.narrow(1, 0, context_), targets = ids_.narrow(1, 1, context_);
  if (!copies_) {
    tokens_bt.copy_(tokens);
    targets_bt.copy_(targets);
    return;
  }
  const c10::Stream stream = c10::impl::VirtualGuardImpl(device_.type()).getStream(ids_.device());
  copied_->block(stream);
  tokens_bt.copy_(tokens);
  targets_bt.copy_(targets);
  taken_->record(stream);
}

}  // namespace muonlab::train
