#include "muonlab/train/step.hpp"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "muonlab/base/non_finite.hpp"
#include "muonlab/base/signals.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/train/batch.hpp"
#include "muonlab/train/device_step.hpp"
#include "muonlab/train/gradient_sum.hpp"
#include "muonlab/train/norm.hpp"
#include "muonlab/train/qk_clip.hpp"
#include "muonlab/train/shared_out.hpp"
#include "train/lap.hpp"
#include "train/step_end.hpp"

namespace muonlab::train {

namespace {

// The loss is the mean of the micro-batches' in their order, whoever computed them; and where one
// of several processes was asked to stop, all know it now.
double mean_loss(Trainer& trainer, const at::Tensor& losses) {
  comm::Communicator& processes = trainer.processes();
  const int64_t share = losses.numel(), count = share * processes.size();
  at::Tensor own = at::zeros({share + 1}, at::kDouble);
  own.narrow(0, 0, share).copy_(losses);
  own[share] = std::max(base::stop_requested(), trainer.stop_here);
  const at::Tensor all = processes.all_gather(own);
  trainer.stop = static_cast<int>(all.select(1, share).max().item<double>());
  double mean = 0;
  for (int rank = 0; rank < processes.size(); ++rank) {
    for (int64_t micro = 0; micro < share; ++micro)
      mean += all[rank][micro].item<double>() / static_cast<double>(count);
  }
  return mean;
}

// Clipping, of what this process updates.
void scale_gradients(Trainer& trainer, double factor) {
  const at::Tensor grads = trainer.arena.grads();
  for (const optim::Share& share : trainer.optimizer.shares()) {
    if (share.owner == trainer.processes().rank())
      grads.narrow(0, share.begin, share.end - share.begin).mul_(factor);
  }
  if (trainer.processes().alone()) grads.mul_(factor);
}

}  // namespace

GradientSum& gradient_sum(Trainer& trainer) {
  const int64_t count = trainer.plan.micro_batches_of(trainer.state.step + 1);
  if (!trainer.gradient_sum || trainer.gradient_sum->num_micro_batches() != count) {
    trainer.gradient_sum.reset();  // its buffers go before there are new ones
    trainer.gradient_sum = std::make_shared<GradientSum>(
        trainer.arena, trainer.processes(), count,
        trainer.config.train.reduction.value_or(config::Reduction::exact),
        trainer.optimizer.shares());
  }
  return *trainer.gradient_sum;
}

void share_stop(Trainer& trainer) {
  const int64_t own = std::max(base::stop_requested(), trainer.stop_here);
  const at::Tensor all = trainer.processes().all_gather(at::scalar_tensor(own, at::kLong));
  trainer.stop = static_cast<int>(all.max().item<int64_t>());
}

void throw_non_finite(Trainer& trainer, const StepRecord& record) {
  collect_gradients(trainer);
  std::string where;
  for (const tensor::Parameter& parameter : trainer.arena.parameters()) {
    if (parameter.grad.isfinite().all().item<bool>()) continue;
    where = base::str(", first in the gradient of ", parameter.spec.name);
    break;
  }
  throw base::NonFinite("step ", record.step, ": loss ", base::exact(record.loss),
                        ", gradient norm ", base::exact(record.grad_norm), where,
                        "; stopped before the update.");
}

void finish_step(Trainer& trainer, StepRecord& record) {
  const Plan& plan = trainer.plan;
  TrainState& state = trainer.state;
  state.step = record.step;
  trainer.average.add(trainer.arena, state.step,
                      WeightAverage::first_step(trainer.config.train, plan.steps));
  state.next_sample += plan.batches.at(record.step);
  state.tokens = record.tokens;
  record.total_s = record.forward_s + record.backward_s + record.optimizer_s;
}

StepRecord train_step(Trainer& trainer) {
  if (trainer.path == tensor::Path::cuda) {
    if (!trainer.device_step) trainer.device_step = std::make_shared<DeviceStep>(trainer);
    return trainer.device_step->run(trainer);
  }
  const Plan& plan = trainer.plan;
  TrainState& state = trainer.state;
  const at::Device device = trainer.arena.values().device();
  StepRecord record{.step = state.step + 1};
  record.tokens = state.tokens + plan.tokens_of(record.step);
  Lap lap;

  QkClip qk_clip(trainer);
  GradientSum& sum = gradient_sum(trainer);
  const double share = 1.0 / static_cast<double>(sum.num_micro_batches());
  at::Tensor losses = at::zeros({sum.end() - sum.begin()}, at::kDouble);
  sum.start();
  for (int64_t micro = sum.begin(); micro < sum.end(); ++micro) {
    const Batch batch =
        read_batch(*trainer.data.train, state.next_sample + micro * plan.micro_batch,
                   plan.micro_batch, plan.context, device);
    const at::Tensor loss =
        trainer.model.forward(batch.tokens_bt, batch.targets_bt, trainer.config.train.z_loss);
    losses[micro - sum.begin()] = loss.item<double>();
    record.forward_s += lap();
    model::backward(loss, share);
    qk_clip.see(batch.tokens_bt);
    sum.take();
    record.backward_s += lap();
  }
  record.loss = mean_loss(trainer, losses);
  sum.finish();
  record.backward_s += lap();

  record.grad_norm =
      global_norm(trainer.arena.grads(), trainer.optimizer.shares(), trainer.processes());
  if (!std::isfinite(record.loss) || !std::isfinite(record.grad_norm))
    throw_non_finite(trainer, record);
  const double clip = trainer.config.train.clip;
  if (clip > 0 && record.grad_norm > clip) scale_gradients(trainer, clip / record.grad_norm);

  record.lr = trainer.optimizer.learning_rates(record.step, plan.steps);
  trainer.optimizer.step(record.step, plan.steps);
  gather_values(trainer);
  record.clipped_heads = qk_clip.apply();
  trainer.model.weights_changed();
  record.optimizer_s = lap();

  finish_step(trainer, record);
  return record;
}

}  // namespace muonlab::train
