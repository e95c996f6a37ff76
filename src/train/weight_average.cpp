#include "muonlab/train/weight_average.hpp"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

namespace muonlab::train {

int64_t WeightAverage::first_step(const config::TrainConfig& train, int64_t num_steps) {
  if (train.average == 0) return num_steps + 1;
  const double share = std::floor(train.average * static_cast<double>(num_steps) + 1e-9);
  return num_steps + 1 - std::max<int64_t>(1, static_cast<int64_t>(share));
}

void WeightAverage::make(const tensor::Arena& arena) {
  if (mean_.defined()) return;
  mean_ = at::zeros_like(arena.values());
  count_ = at::zeros({}, at::TensorOptions().dtype(at::kLong));
}

void WeightAverage::add(const tensor::Arena& arena, int64_t step, int64_t first) {
  if (step < first && !mean_.defined()) return;
  const at::NoGradGuard no_grad;
  make(arena);
  if (step <= first) count_.zero_();
  if (step < first) return;
  count_.add_(1);
  mean_.lerp_(arena.values(), 1.0 / static_cast<double>(count()));
}

int64_t WeightAverage::count() const { return count_.defined() ? count_.item<int64_t>() : 0; }

std::vector<tensor::NamedTensor> WeightAverage::state(const tensor::Arena& arena) {
  make(arena);
  std::vector<tensor::NamedTensor> all;
  for (size_t i = 0; i < arena.parameters().size(); ++i) {
    const config::ParameterSpec& spec = arena.parameters()[i].spec;
    all.push_back({spec.name, mean_.narrow(0, arena.offset(i), spec.count()).view(spec.shape)});
  }
  all.push_back({"count", count_});
  return all;
}

WeightAverage::InPlace::InPlace(const WeightAverage& average, const tensor::Arena& arena,
                                model::Model& model)
    : values_(arena.values()), model_(model) {
  if (average.count() == 0) return;
  const at::NoGradGuard no_grad;
  kept_ = values_.clone();
  values_.copy_(average.mean_);
  model_.weights_changed();
}

WeightAverage::InPlace::~InPlace() {
  if (!kept_.defined()) return;
  const at::NoGradGuard no_grad;
  values_.copy_(kept_);
  model_.weights_changed();
}

}  // namespace muonlab::train
