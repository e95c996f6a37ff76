// A few parameters under one optimizer, ready to step.
#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "muonlab/optim/optimizer.hpp"

namespace muonlab::optim {

using config::ParameterSpec;
using config::Role;

inline ParameterSpec matrix(const std::string& name, int64_t rows, int64_t cols,
                            Role role = Role::v, int layer = 0) {
  return {name, role, layer, {rows, cols}};
}

inline config::RunConfig run_with(const config::OptimizerConfig& optimizer) {
  config::RunConfig run;
  run.optimizers = {{"rule", optimizer}};
  run.assign = {{{"all"}, "rule"}};
  run.model.kv_heads = run.model.heads;
  run.model.head_dim = run.model.width / run.model.heads;
  return run;
}

struct Trial {
  config::RunConfig run;
  Routing routing;
  tensor::Arena arena;
  Optimizer optimizer;

  Trial(const std::vector<ParameterSpec>& specs, const config::RunConfig& run_config)
      : run(run_config),
        routing(route(specs, run)),
        arena(specs, routing.order),
        optimizer(routing, run, arena) {}
  Trial(const std::vector<ParameterSpec>& specs, const config::OptimizerConfig& optimizer_config)
      : Trial(specs, run_with(optimizer_config)) {}

  // Values and gradients that depend on the parameter's name and `seed` alone.
  void fill(uint64_t seed, double grad_scale = 1.0) {
    for (const tensor::Parameter& p : arena.parameters()) {
      fill_one(p.value.detach(), p.spec.name + "/value", seed, 0.5);
      fill_one(p.grad, p.spec.name + "/grad", seed, grad_scale);
    }
  }
  void fill_grads(uint64_t seed, double scale = 1.0) {
    for (const tensor::Parameter& p : arena.parameters())
      fill_one(p.grad, p.spec.name + "/grad", seed, scale);
  }

  at::Tensor value(const std::string& name) { return arena.find(name).value.detach(); }
  at::Tensor grad(const std::string& name) { return arena.find(name).grad; }
  at::Tensor state(const std::string& name) {
    for (const tensor::NamedTensor& s : optimizer.state()) {
      if (s.name == name) return s.value;
    }
    return {};
  }

 private:
  static void fill_one(at::Tensor target, const std::string& name, uint64_t seed, double scale) {
    auto generator =
        at::make_generator<at::CPUGeneratorImpl>(std::hash<std::string>()(name) + seed);
    target.copy_(at::randn(target.sizes(), generator, at::kDouble) * scale);
  }
};

// Same bytes.
inline bool identical(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor x = a.contiguous(), y = b.contiguous();
  return x.sizes() == y.sizes() && x.scalar_type() == y.scalar_type() &&
         std::memcmp(x.const_data_ptr(), y.const_data_ptr(), x.nbytes()) == 0;
}

// |a - b| / |b|, Frobenius norms, in double.
inline double relative_error(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor x = a.to(at::kDouble), y = b.to(at::kDouble);
  return ((x - y).norm() / y.norm().clamp_min(1e-300)).item<double>();
}

}  // namespace muonlab::optim
