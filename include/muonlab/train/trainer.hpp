// What a step works on.
#pragma once

#include <memory>

#include "muonlab/config/run.hpp"
#include "muonlab/data/corpus.hpp"
#include "muonlab/model/model.hpp"
#include "muonlab/optim/optimizer.hpp"
#include "muonlab/tensor/parameter.hpp"
#include "muonlab/tensor/path.hpp"
#include "muonlab/train/plan.hpp"
#include "muonlab/train/state.hpp"
#include "muonlab/train/weight_average.hpp"

namespace muonlab::train {

class DeviceStep;

// Borrowed parts, put together by the run floor.
struct Trainer {
  const config::RunConfig& config;
  const Plan& plan;
  const data::Dataset& data;
  tensor::Arena& arena;
  model::Model& model;
  optim::Optimizer& optimizer;
  const optim::Routing& routing;
  TrainState state;
  tensor::Path path = tensor::Path::cpu;
  std::shared_ptr<DeviceStep> device_step{};  // on the path cuda, made by the first step
  WeightAverage average{};
};

}  // namespace muonlab::train
