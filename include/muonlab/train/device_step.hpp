// The step of the path cuda: everything is enqueued on the device, and the host waits once, at the
// end, for the step's four numbers. The forward and backward of a micro-batch and the update are
// each recorded as a CUDA graph, once they have run twice.
#pragma once

#include <functional>
#include <memory>

#include <ATen/core/Tensor.h>

#include "muonlab/train/step.hpp"

namespace muonlab::train {

class BatchFeed;

class DeviceStep {
 public:
  explicit DeviceStep(Trainer& trainer);
  ~DeviceStep();

  // train_step() on the path cuda. On a GPU backward_s is the time of forward and backward
  // together.
  StepRecord run(Trainer& trainer);

 private:
  // Enqueues a part of the step: by calling it, or as a graph.
  class Part;

  // A step with another number of micro-batches: the graph holds what one of them counts.
  void use_micro_batches(int64_t num_micro_batches);
  void forward_backward(Trainer& trainer);
  void share(Trainer& trainer, const at::Tensor& losses);
  void update(Trainer& trainer);

  at::Tensor tokens_bt_, targets_bt_;  // of the micro-batch: the graphs read these
  at::Tensor status_;                  // tensor::StepStatus
  at::Tensor loss_;                    // of the micro-batch, where several processes share a step
  std::unique_ptr<BatchFeed> feed_;
  bool graphs_ = false;  // whether parts are recorded
  int64_t num_micro_batches_ = 0;
  std::unique_ptr<Part> forward_backward_, update_;
};

}  // namespace muonlab::train
