#include <cmath>
#include <numeric>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "muonlab/model/model.hpp"
#include "support/model.hpp"

namespace muonlab::model {
namespace {

using support::make_arena;

config::ModelConfig small_model() { return support::model_shape(2, 64, 4, 2, 16, 96, 300, 256); }

tensor::Arena reversed_arena(const config::ModelConfig& model) {
  const auto specs = config::parameter_specs(model);
  std::vector<size_t> order(specs.size());
  std::iota(order.rbegin(), order.rend(), size_t{0});
  return tensor::Arena(specs, order);
}

double deviation(const tensor::Parameter& parameter) {
  return parameter.value.detach().std().item<double>();
}

TEST(Initialize, DependsOnSeedNameAndIndexAlone) {
  const config::ModelConfig model = small_model();
  tensor::Arena a = make_arena(model), b = reversed_arena(model), c = make_arena(model);
  tensor::Arena wide = make_arena(model, at::kDouble);
  initialize(model, 5, a);
  initialize(model, 5, b);
  initialize(model, 6, c);
  initialize(model, 5, wide);
  for (const tensor::Parameter& parameter : a.parameters()) {
    EXPECT_TRUE(at::equal(parameter.value, b.find(parameter.spec.name).value))
        << parameter.spec.name;
    EXPECT_TRUE(at::equal(parameter.value.to(at::kDouble), wide.find(parameter.spec.name).value));
    if (parameter.spec.role != config::Role::norm) {
      EXPECT_FALSE(at::equal(parameter.value, c.find(parameter.spec.name).value))
          << parameter.spec.name;
    }
  }
  EXPECT_FALSE(at::equal(a.find("model.layers.0.self_attn.q_proj.weight").value,
                         a.find("model.layers.1.self_attn.q_proj.weight").value));
}

TEST(Initialize, FollowsTheConfig) {
  config::ModelConfig model = small_model();
  tensor::Arena arena = make_arena(model);
  initialize(model, 1, arena);
  for (const tensor::Parameter& parameter : arena.parameters()) {
    if (parameter.spec.role == config::Role::norm) {
      EXPECT_TRUE(at::equal(parameter.value, at::ones_like(parameter.value)));
    } else {
      EXPECT_NEAR(deviation(parameter), 0.02, 0.002) << parameter.spec.name;
    }
  }
  model.init.std = 0.1;
  model.init.depth_scaled = true;
  initialize(model, 1, arena);
  EXPECT_NEAR(deviation(arena.find("model.layers.0.self_attn.q_proj.weight")), 0.1, 0.01);
  EXPECT_NEAR(deviation(arena.find("model.layers.0.self_attn.o_proj.weight")), 0.05, 0.005);
  EXPECT_NEAR(deviation(arena.find("model.layers.1.mlp.down_proj.weight")), 0.05, 0.005);
  model.init.zero_output = true;
  initialize(model, 1, arena);
  EXPECT_EQ(arena.find("model.layers.0.self_attn.o_proj.weight").value.abs().max().item<float>(),
            0.0f);
  EXPECT_EQ(arena.find("model.layers.1.mlp.down_proj.weight").value.abs().max().item<float>(),
            0.0f);
  EXPECT_GT(arena.find("model.layers.1.mlp.up_proj.weight").value.abs().max().item<float>(), 0.0f);
}

TEST(Llama, FlopsCountWeightsAndAttention) {
  const config::ModelConfig model = small_model();
  tensor::Arena arena = make_arena(model);
  const auto llama = make_llama(model, config::Precision::fp32, tensor::Path::reference, arena);
  const double weights = 2 * (64 * 128 + 64 * 64 + 3 * 64 * 96) + 300 * 64;
  const double keys = (model.context + 1) / 2.0;
  EXPECT_DOUBLE_EQ(llama->flops_per_token(), 6 * weights + 2 * 12 * 64 * keys);
}

TEST(Llama, BackwardReachesNoGraphWithoutGradMode) {
  const config::ModelConfig model = small_model();
  tensor::Arena arena = make_arena(model);
  initialize(model, 1, arena);
  const auto llama = make_llama(model, config::Precision::fp32, tensor::Path::cpu, arena);
  const at::Tensor tokens = at::arange(12, at::kLong).view({2, 6});
  at::NoGradGuard no_grad;
  EXPECT_FALSE(llama->forward(tokens, tokens).requires_grad());
  EXPECT_FALSE(llama->logits(tokens).requires_grad());
}

}  // namespace
}  // namespace muonlab::model
