// What a step works on.
#pragma once

#include <memory>

#include "muonlab/comm/communicator.hpp"
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
class GradientSum;

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
  std::shared_ptr<GradientSum> gradient_sum{};  // made by the first step
  std::shared_ptr<comm::Communicator> group = std::make_shared<comm::Communicator>();
  // The number of a signal: what asks this process to stop beside a signal itself, and what asked
  // one of all processes, as each knows after a step.
  int stop_here = 0, stop = 0;

  comm::Communicator& processes() { return *group; }
};

}  // namespace muonlab::train
