#include "muonlab/train/step.hpp"

#include <cmath>

#include <ATen/ATen.h>

#include "muonlab/base/non_finite.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/train/batch.hpp"
#include "muonlab/train/device_step.hpp"
#include "muonlab/train/norm.hpp"
#include "muonlab/train/qk_clip.hpp"
#include "train/lap.hpp"
#include "train/step_end.hpp"

namespace muonlab::train {

void throw_non_finite(Trainer& trainer, const StepRecord& record) {
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
  state.next_sample += plan.batch;
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
  StepRecord record{.step = state.step + 1, .tokens = state.tokens + plan.tokens_per_step};
  Lap lap;

  QkClip qk_clip(trainer);
  trainer.arena.zero_grads();
  for (int64_t micro = 0; micro < plan.num_micro_batches; ++micro) {
    const Batch batch =
        read_batch(*trainer.data.train, state.next_sample + micro * plan.micro_batch,
                   plan.micro_batch, plan.context, device);
    const at::Tensor loss =
        trainer.model.forward(batch.tokens_bt, batch.targets_bt, trainer.config.train.z_loss);
    record.loss += loss.item<double>() / static_cast<double>(plan.num_micro_batches);
    record.forward_s += lap();
    model::backward(loss, 1.0 / static_cast<double>(plan.num_micro_batches));
    qk_clip.see(batch.tokens_bt);
    record.backward_s += lap();
  }

  record.grad_norm = global_norm(trainer.arena.grads());
  if (!std::isfinite(record.loss) || !std::isfinite(record.grad_norm))
    throw_non_finite(trainer, record);
  const double clip = trainer.config.train.clip;
  if (clip > 0 && record.grad_norm > clip) trainer.arena.grads().mul_(clip / record.grad_norm);

  record.lr = trainer.optimizer.learning_rates(record.step, plan.steps);
  trainer.optimizer.step(record.step, plan.steps);
  record.clipped_heads = qk_clip.apply();
  trainer.model.weights_changed();
  record.optimizer_s = lap();

  finish_step(trainer, record);
  return record;
}

}  // namespace muonlab::train
