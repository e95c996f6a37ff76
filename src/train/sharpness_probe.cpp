#include "muonlab/train/sharpness_probe.hpp"

#include <ATen/ATen.h>

#include "muonlab/base/error.hpp"

namespace muonlab::train {

void SharpnessProbe::before_step(Trainer& trainer) {
  before_ = trainer.arena.values().detach().clone();
  first_sample_ = trainer.state.next_sample;
}

Sharpness SharpnessProbe::measure_step(Trainer& trainer) {
  base::check(before_.defined(), "sharpness of a step that was not announced");
  tensor::Arena& arena = trainer.arena;
  const Plan& plan = trainer.plan;
  std::vector<Batch> batches;
  for (int64_t micro = 0; micro < plan.micro_batches_of(trainer.state.step); ++micro) {
    batches.push_back(read_batch(*trainer.data.train, first_sample_ + micro * plan.micro_batch,
                                 plan.micro_batch, plan.context, arena.values().device()));
  }
  Sharpness measured =
      sharpness_of_step(trainer.config.model, arena, before_, batches, config_.params);
  before_ = at::Tensor();
  return measured;
}

std::vector<std::string> SharpnessProbe::measure(Trainer& trainer) {
  if (trainer.state.step == 0) return {};  // before the first step there is no update
  return sharpness_lines(measure_step(trainer), trainer.state.step);
}

}  // namespace muonlab::train
