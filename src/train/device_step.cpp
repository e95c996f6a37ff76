#include "muonlab/train/device_step.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "muonlab/base/error.hpp"
#include "muonlab/tensor/plugin.hpp"
#include "muonlab/tensor/step_status.hpp"
#include "muonlab/train/shared_out.hpp"
#include "train/batch_feed.hpp"
#include "train/lap.hpp"
#include "train/step_end.hpp"

namespace muonlab::train {

class DeviceStep::Part {
 public:
  // recordable: a GPU runs it, and nothing in it needs the host.
  explicit Part(bool recordable) : recordable_(recordable) {}

  void enqueue(const std::function<void()>& work) {
    constexpr int kRunsBefore = 2;  // libraries choose their kernels and take their memory in these
    if (recordable_ && runs_ == kRunsBefore) graph_ = tensor::plugin::capture(work);
    ++runs_;
    if (graph_) {
      graph_->replay();
    } else {
      work();
    }
  }

 private:
  bool recordable_;
  int64_t runs_ = 0;
  std::unique_ptr<tensor::plugin::Graph> graph_;
};

DeviceStep::DeviceStep(Trainer& trainer) {
  if (trainer.config.train.qk_clip > 0) {
    throw base::Error("train.qk_clip does not work with fused kernels on a GPU; set kernels to ",
                      "\"reference\"");
  }
  const Plan& plan = trainer.plan;
  const at::Device device = trainer.arena.values().device();
  const auto ids = at::TensorOptions().dtype(at::kLong).device(device);
  tokens_bt_ = at::zeros({plan.micro_batch, plan.context}, ids);
  targets_bt_ = at::zeros({plan.micro_batch, plan.context}, ids);
  status_ = at::zeros({tensor::kStepStatusNumbers}, ids.dtype(at::kDouble));
  loss_ = at::zeros({}, status_.options());
  feed_ = std::make_unique<BatchFeed>(device, plan.micro_batch, plan.context);
  graphs_ = device.is_cuda() && trainer.config.train.graph == config::GraphMode::automatic;
  update_ = std::make_unique<Part>(graphs_);
}

DeviceStep::~DeviceStep() = default;

void DeviceStep::use_micro_batches(int64_t num_micro_batches) {
  if (num_micro_batches == num_micro_batches_) return;
  num_micro_batches_ = num_micro_batches;
  forward_backward_ = std::make_unique<Part>(graphs_);
}

void DeviceStep::forward_backward(Trainer& trainer) {
  const double share = 1.0 / static_cast<double>(num_micro_batches_);
  const at::Tensor loss =
      trainer.model.forward(tokens_bt_, targets_bt_, trainer.config.train.z_loss);
  model::backward(loss, share);
  if (trainer.processes().alone()) {
    status_[0].add_(loss.detach(), share);
  } else {
    loss_.copy_(loss.detach());
  }
}

// The sums of all processes, in every one of them: a step is closed by the whole of it. The loss is
// the mean of the micro-batches' in their order, whoever computed them.
void DeviceStep::share(Trainer& trainer, const at::Tensor& losses) {
  comm::Communicator& processes = trainer.processes();
  if (processes.alone()) return;
  gather_gradients(trainer);
  const double share = 1.0 / static_cast<double>(num_micro_batches_);
  const at::Tensor all = processes.all_gather(losses).flatten();
  for (int64_t micro = 0; micro < all.numel(); ++micro) status_[0].add_(all[micro], share);
}

void DeviceStep::update(Trainer& trainer) {
  tensor::plugin::close_step_(trainer.arena.grads(), status_, trainer.config.train.clip);
  trainer.optimizer.enqueue_step(status_);
  trainer.model.weights_changed();
}

StepRecord DeviceStep::run(Trainer& trainer) {
  const Plan& plan = trainer.plan;
  TrainState& state = trainer.state;
  StepRecord record{.step = state.step + 1};
  record.tokens = state.tokens + plan.tokens_of(record.step);
  record.lr = trainer.optimizer.learning_rates(record.step, plan.steps);
  Lap lap;

  trainer.optimizer.begin_step(record.step, plan.steps);
  GradientSum& sum = gradient_sum(trainer);
  use_micro_batches(sum.num_micro_batches());
  sum.start();
  status_.zero_();
  const bool is_last = record.step == plan.steps;
  const at::Tensor losses = at::zeros({sum.end() - sum.begin()}, status_.options());
  const auto first_of = [&](int64_t sample, int64_t micro) {
    return sample + micro * plan.micro_batch;
  };
  for (int64_t micro = sum.begin(); micro < sum.end(); ++micro) {
    feed_->take(*trainer.data.train, first_of(state.next_sample, micro), tokens_bt_, targets_bt_);
    forward_backward_->enqueue([&] { forward_backward(trainer); });
    if (!trainer.processes().alone()) losses[micro - sum.begin()].copy_(loss_);
    sum.take();
    if (micro + 1 < sum.end()) {
      feed_->fetch(*trainer.data.train, first_of(state.next_sample, micro + 1));
    } else if (!is_last) {
      const int64_t begin = plan.micro_batches_of(record.step + 1) / trainer.processes().size() *
                            trainer.processes().rank();
      feed_->fetch(*trainer.data.train,
                   first_of(state.next_sample + plan.batches.at(record.step), begin));
    }
  }
  sum.finish();
  share(trainer, losses);
  update_->enqueue([&] { update(trainer); });

  const at::Tensor status = status_.cpu();  // the only wait
  const double* numbers = status.const_data_ptr<double>();
  const tensor::StepStatus now{numbers[0], numbers[1], numbers[2], numbers[3]};
  record.loss = now.loss;
  record.grad_norm = now.grad_norm;
  if (now.finite == 0) {
    trainer.optimizer.take_back();
    throw_non_finite(trainer, record);
  }
  record.backward_s = lap();
  if (trainer.optimizer.needs_host()) {
    trainer.optimizer.end_step(record.step, plan.steps);
    trainer.model.weights_changed();
    record.optimizer_s = lap();
  }
  if (!trainer.processes().alone()) {
    gather_values(trainer);
    trainer.model.weights_changed();
    share_stop(trainer);
    record.optimizer_s += lap();
  }

  finish_step(trainer, record);
  return record;
}

}  // namespace muonlab::train
