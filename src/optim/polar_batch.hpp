// The polar factors of many matrices at once, for rules that have no kernels of their own.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

#include "muonlab/optim/orthogonalize.hpp"
#include "muonlab/optim/rule.hpp"

namespace muonlab::optim {

struct PolarSettings {
  config::Orthogonalizer orthogonalizer;
  std::optional<int64_t> steps;
  at::ScalarType dtype;
};

template <class Config>
PolarSettings polar_settings(const Config& config, const config::RunConfig& run) {
  return {config.orthogonalizer, config.steps,
          iteration_type(config.orthogonalizer, config.iteration,
                         run.precision == config::Precision::bf16)};
}

// None where a matrix' polar factor may depend on which others are in its batch: where the products
// are the library's.
Division division_of(const Range& range, const PolarSettings& settings);

// The members of a range that are wanted, by index, those of one shape together.
std::vector<std::vector<size_t>> members_by_shape(const Range& range,
                                                  const std::function<bool(const Member&)>& wanted);

// task(0) … task(n - 1), on the CPU shared among the threads, each on one of them. Records no
// gradient.
void for_each_matrix(const Range& range, size_t n, const std::function<void(size_t)>& task);

// For members of one shape: `direction(i)` gives member i's matrix [r, c], `use(i, polar)` takes
// that matrix's polar factor, fp32, which it may overwrite. Both are called as for_each_matrix
// does, in pieces that bound the memory.
void for_polar_factors(const Range& range, const PolarSettings& settings,
                       const std::vector<size_t>& members,
                       const std::function<at::Tensor(size_t)>& direction,
                       const std::function<void(size_t, at::Tensor)>& use);

}  // namespace muonlab::optim
