// The average of the weights over the last steps of a run (train.average), which validation judges
// in place of the weights.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "muonlab/config/run.hpp"
#include "muonlab/model/model.hpp"
#include "muonlab/tensor/parameter.hpp"

namespace muonlab::train {

class WeightAverage {
 public:
  // The first step whose weights count in a run of so many; num_steps + 1 for none.
  static int64_t first_step(const config::TrainConfig& train, int64_t num_steps);

  // Takes in the weights after a step. What was averaged before `first` is forgotten.
  void add(const tensor::Arena& arena, int64_t step, int64_t first);
  // How many steps are averaged; 0: there is no average.
  int64_t count() const;
  // The average of each parameter under its name, and "count"; views that can be written.
  std::vector<tensor::NamedTensor> state(const tensor::Arena& arena);

  // While it lives, the model has the average in place of its weights.
  class InPlace {
   public:
    InPlace(const WeightAverage& average, const tensor::Arena& arena, model::Model& model);
    ~InPlace();
    InPlace(const InPlace&) = delete;
    InPlace& operator=(const InPlace&) = delete;

   private:
    at::Tensor values_, kept_;
    model::Model& model_;
  };

 private:
  void make(const tensor::Arena& arena);

  at::Tensor mean_;   // of the arena's layout; undefined before the first step that counts
  at::Tensor count_;  // int64, no dimensions
};

}  // namespace muonlab::train
