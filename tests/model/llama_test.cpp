// The decoder as a whole: both kernel paths, both precisions, repeatability, accumulation.
#include <functional>
#include <map>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "muonlab/base/error.hpp"
#include "muonlab/model/model.hpp"
#include "muonlab/ops/rms_norm.hpp"
#include "muonlab/ops/rope.hpp"
#include "support/gradient_check.hpp"
#include "support/model.hpp"
#include "support/parameters.hpp"

namespace muonlab::model {
namespace {

using config::Precision;
using support::make_arena;
using support::model_shape;
using tensor::Path;

config::ModelConfig odd_model(config::Activation activation, bool gated, config::QkNorm qk_norm,
                              bool tied) {
  config::ModelConfig model = model_shape(2, 36, 6, 3, 10, 50, 83, 70);
  model.activation = activation;
  model.gated = gated;
  model.qk_norm = qk_norm;
  model.tied = tied;
  model.init.std = 0.2;
  return model;
}

struct Step {
  double loss;
  at::Tensor grads, logits, losses;
};

Step step(const config::ModelConfig& config, Precision precision, Path path, int64_t b, int64_t t,
          at::ScalarType dtype = at::kFloat) {
  tensor::Arena arena = make_arena(config, dtype);
  initialize(config, 3, arena);
  const auto model = make_llama(config, precision, path, arena);
  const at::Tensor tokens = support::ids({b, t}, *config.vocabulary, 1);
  at::Tensor targets = support::ids({b, t}, *config.vocabulary, 2);
  if (t > 2) targets.narrow(1, 1, 1).fill_(-100);
  const at::Tensor loss = model->forward(tokens, targets);
  backward(loss, 1.0);
  return {loss.item<double>(), arena.grads().clone(), model->logits(tokens).detach(),
          model->token_losses(tokens, targets)};
}

at::Tensor normal_like(const at::Tensor& x, uint64_t stream) {
  return support::normal(x.sizes(), 100 + stream, x.scalar_type());
}

double distance(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor wide = b.to(at::kDouble);
  return ((a.to(at::kDouble) - wide).norm() / wide.norm()).item<double>();
}

TEST(Llama, FusedEqualsReferenceInDouble) {
  for (const auto activation :
       {config::Activation::silu, config::Activation::gelu, config::Activation::relu2}) {
    for (const auto qk_norm :
         {config::QkNorm::none, config::QkNorm::no_gain, config::QkNorm::gain}) {
      const config::ModelConfig config = odd_model(activation, qk_norm != config::QkNorm::gain,
                                                   qk_norm, qk_norm == config::QkNorm::none);
      for (const auto& [b, t] :
           {std::pair<int64_t, int64_t>{1, 1}, {3, 70}, {2, 91}}) {  // 91: beyond the context
        SCOPED_TRACE(testing::Message()
                     << static_cast<int>(activation) << static_cast<int>(qk_norm) << " t " << t);
        const Step exact = step(config, Precision::fp32, Path::reference, b, t, at::kDouble);
        const Step fused = step(config, Precision::fp32, Path::cpu, b, t);
        EXPECT_NEAR(fused.loss, exact.loss, 1e-5);
        EXPECT_LE(distance(fused.grads, exact.grads), 5e-6);
        EXPECT_LE(distance(fused.logits, exact.logits), 5e-6);
        EXPECT_LE(distance(fused.losses, exact.losses), 5e-6);
        const Step rough = step(config, Precision::bf16, Path::cpu, b, t);
        EXPECT_NEAR(rough.loss, exact.loss, 0.02);
        EXPECT_LE(distance(rough.grads, exact.grads), 0.05);
        EXPECT_LE(distance(rough.logits, exact.logits), 0.02);
      }
    }
  }
}

// The gradients of a tiny model with 5 tokens against central differences, in double.
void expect_central_differences(const config::ModelConfig& config, tensor::Arena& arena) {
  const auto model = make_llama(config, Precision::fp32, Path::reference, arena);
  const at::Tensor tokens = support::ids({2, 4}, 5, 1), targets = support::ids({2, 4}, 5, 2);
  backward(model->forward(tokens, targets), 1.0);
  at::NoGradGuard no_grad;
  constexpr double kStep = 1e-5;
  for (tensor::Parameter& parameter : arena.parameters()) {
    double* value = parameter.value.mutable_data_ptr<double>();
    at::Tensor numeric = at::empty_like(parameter.grad);
    for (int64_t i = 0; i < parameter.value.numel(); ++i) {
      const double middle = value[i];
      value[i] = middle + kStep;
      const double above = model->forward(tokens, targets).item<double>();
      value[i] = middle - kStep;
      const double below = model->forward(tokens, targets).item<double>();
      value[i] = middle;
      numeric.view(-1)[i] = (above - below) / (2 * kStep);
    }
    EXPECT_LE(support::relative_error(parameter.grad, numeric), 1e-6) << parameter.spec.name;
  }
}

// Everything of the further families at once, and each alone.
std::vector<config::ModelConfig> family_models() {
  const config::ModelConfig usual =
      odd_model(config::Activation::gelu_tanh, true, config::QkNorm::none, false);
  const std::vector<std::function<void(config::ModelConfig&)>> changes{
      [](auto& m) { m.attention_bias = config::AttentionBias::all; },
      [](auto& m) { m.ffn_bias = m.head_bias = true; },
      [](auto& m) { m.attention_scale = 0.7; },
      [](auto& m) { m.score_cap = 0.5; },
      [](auto& m) { m.logit_cap = 2.0; },
      [](auto& m) { m.rotary_fraction = 0.4; },
      [](auto& m) { m.rope_scaling = config::Llama3Scaling(); },
      [](auto& m) { m.window = 5, m.window_pattern = "wf"; },
      [](auto& m) { m.window = 5, m.window_pattern = "fw", m.window_rope_theta = 20.0; },
      [](auto& m) { m.layers = 3, m.value_residual = config::ValueResidual::fixed; },
      [](auto& m) {
        m.value_residual = config::ValueResidual::learned, m.value_residual_share = 0.3;
      },
      [](auto& m) { m.document_start = 7; },
      [](auto& m) { m.embedding_norm = config::QkNorm::no_gain; },
      [](auto& m) { m.embedding_norm = config::QkNorm::gain; },
      [](auto& m) { m.post_norm = true, m.embedding_scale = 3.0; }};
  std::vector<config::ModelConfig> models;
  config::ModelConfig all = usual;
  for (const auto& change : changes) {
    models.push_back(usual);
    change(models.back());
    change(all);
  }
  models.push_back(all);
  return models;
}

TEST(Llama, FamiliesFusedEqualReferenceInDouble) {
  const std::vector<config::ModelConfig> models = family_models();
  for (const config::ModelConfig& config : models) {
    const Step exact = step(config, Precision::fp32, Path::reference, 2, 70, at::kDouble);
    const Step fused = step(config, Precision::fp32, Path::cpu, 2, 70);
    EXPECT_NEAR(fused.loss, exact.loss, 1e-5);
    EXPECT_LE(distance(fused.grads, exact.grads), 1e-5);
    EXPECT_LE(distance(fused.logits, exact.logits), 1e-5);
    EXPECT_LE(distance(fused.losses, exact.losses), 1e-5);
    if (config != models.back()) continue;  // all at once
    const Step rough = step(config, Precision::bf16, Path::cpu, 2, 70);
    EXPECT_NEAR(rough.loss, exact.loss, 0.02);
    EXPECT_LE(distance(rough.grads, exact.grads), 0.1);
    const Step again = step(config, Precision::bf16, Path::cpu, 2, 70);
    EXPECT_TRUE(at::equal(rough.grads, again.grads));
  }
}

TEST(Llama, FamiliesEqualCentralDifferences) {
  config::ModelConfig config = model_shape(3, 4, 2, 1, 4, 6, 5, 4);
  config.value_residual = config::ValueResidual::learned;
  config.value_residual_share = 0.35;
  config.attention_bias = config::AttentionBias::all;
  config.ffn_bias = config.head_bias = config.post_norm = true;
  config.embedding_norm = config::QkNorm::gain;
  config.score_cap = 0.7;
  config.logit_cap = 1.5;
  config.logit_cap_form = config::CapForm::rsqrt;
  config.attention_scale = 0.9;
  config.rotary_fraction = 0.5;
  config.window = 2;
  config.window_pattern = "wf";
  config.window_rope_theta = 7.0;
  config.document_start = 3;
  config.init.std = 0.5;
  tensor::Arena arena = make_arena(config, at::kDouble);
  initialize(config, 3, arena);
  for (tensor::Parameter& parameter : arena.parameters()) {
    at::NoGradGuard no_grad;
    if (parameter.spec.role == config::Role::bias)
      parameter.value.add_(normal_like(parameter.value, 1), 0.3);
  }
  expect_central_differences(config, arena);
}

TEST(Llama, ReferenceRunsInBf16) {
  const config::ModelConfig config =
      odd_model(config::Activation::silu, true, config::QkNorm::gain, false);
  const Step exact = step(config, Precision::fp32, Path::reference, 2, 40, at::kDouble);
  const Step rough = step(config, Precision::bf16, Path::reference, 2, 40);
  EXPECT_NEAR(rough.loss, exact.loss, 0.02);
  EXPECT_LE(distance(rough.grads, exact.grads), 0.05);
}

TEST(Llama, ReferenceEqualsCentralDifferences) {
  config::ModelConfig config = model_shape(1, 4, 2, 1, 4, 6, 5, 4);
  config.qk_norm = config::QkNorm::gain;
  config.init.std = 0.5;
  tensor::Arena arena = make_arena(config, at::kDouble);
  initialize(config, 3, arena);
  expect_central_differences(config, arena);
}

// What probes of the curvature need: a Hessian-vector product through the whole model.
TEST(Llama, ReferenceIsTwiceDifferentiable) {
  config::ModelConfig config = model_shape(2, 8, 2, 1, 4, 12, 11, 6);
  config.value_residual = config::ValueResidual::learned;
  config.qk_norm = config::QkNorm::gain;
  config.init.std = 0.3;
  tensor::Arena arena = make_arena(config, at::kDouble);
  initialize(config, 3, arena);
  const auto model = make_llama(config, Precision::fp32, Path::reference, arena);
  const at::Tensor tokens = support::ids({2, 6}, 11, 1), targets = support::ids({2, 6}, 11, 2);
  std::vector<at::Tensor> weights, directions;
  for (const tensor::Parameter& parameter : arena.parameters()) {
    weights.push_back(parameter.value);
    directions.push_back(normal_like(parameter.value, directions.size()));
  }
  const auto gradients = [&](bool with_graph) {
    return torch::autograd::grad({model->forward(tokens, targets)}, weights, {}, with_graph,
                                 with_graph);
  };
  const auto first = gradients(true);
  at::Tensor product = at::zeros({}, at::kDouble);
  for (size_t i = 0; i < weights.size(); ++i) product = product + (first[i] * directions[i]).sum();
  const auto curvature = torch::autograd::grad({product}, weights);
  constexpr double kStep = 1e-5;
  const auto move = [&](double by) {
    at::NoGradGuard no_grad;
    for (size_t i = 0; i < weights.size(); ++i) weights[i].add_(directions[i], by);
  };
  move(kStep);
  const auto above = gradients(false);
  move(-2 * kStep);
  const auto below = gradients(false);
  for (size_t i = 0; i < weights.size(); ++i) {
    EXPECT_LE(support::relative_error(curvature[i], (above[i] - below[i]) / (2 * kStep)), 1e-6)
        << arena.parameters()[i].spec.name;
    EXPECT_EQ(arena.parameters()[i].grad.abs().max().item<double>(), 0.0)
        << "a product must leave grad alone";
  }
}

TEST(Llama, LogitsAtPlacesAreThoseOfTheWholeTable) {
  const config::ModelConfig config =
      odd_model(config::Activation::silu, true, config::QkNorm::gain, false);
  tensor::Arena arena = make_arena(config);
  initialize(config, 3, arena);
  for (const Path path : {Path::cpu, Path::reference}) {
    const auto model = make_llama(config, Precision::fp32, path, arena);
    const at::Tensor tokens = support::ids({3, 20}, *config.vocabulary, 1);
    const at::Tensor places = at::tensor({5, 59, 0, 21, 21}, at::kLong);
    const at::Tensor some = model->logits_at(tokens, places);
    EXPECT_FALSE(some.requires_grad());
    const at::Tensor all = model->logits(tokens).detach().view({60, *config.vocabulary});
    EXPECT_LE(distance(some, all.index_select(0, places)), 1e-6);
  }
}

TEST(Llama, TheSameStepGivesTheSameBytes) {
  const config::ModelConfig config =
      odd_model(config::Activation::silu, true, config::QkNorm::gain, false);
  for (const Precision precision : {Precision::fp32, Precision::bf16}) {
    const Step first = step(config, precision, Path::cpu, 3, 70);
    const Step second = step(config, precision, Path::cpu, 3, 70);
    EXPECT_EQ(first.loss, second.loss);
    EXPECT_TRUE(at::equal(first.grads, second.grads));
    EXPECT_TRUE(at::equal(first.logits, second.logits));
  }
}

TEST(Llama, MicroBatchesAddUpToTheBatch) {
  const config::ModelConfig config =
      odd_model(config::Activation::silu, true, config::QkNorm::none, false);
  for (const Path path : {Path::cpu, Path::reference}) {
    tensor::Arena arena = make_arena(config);
    initialize(config, 3, arena);
    const auto model = make_llama(config, Precision::fp32, path, arena);
    const at::Tensor tokens = support::ids({4, 20}, 83, 1), targets = support::ids({4, 20}, 83, 2);
    backward(model->forward(tokens, targets), 1.0);
    const at::Tensor whole = arena.grads().clone();
    arena.zero_grads();
    for (int64_t i = 0; i < 4; ++i) {
      backward(model->forward(tokens.narrow(0, i, 1), targets.narrow(0, i, 1)), 0.25);
    }
    EXPECT_LE(distance(arena.grads(), whole), 2e-6);
  }
}

TEST(Llama, Bf16ReadsItsCopiesOfTheWeights) {
  const config::ModelConfig config =
      odd_model(config::Activation::silu, true, config::QkNorm::none, false);
  tensor::Arena arena = make_arena(config);
  initialize(config, 3, arena);
  const auto model = make_llama(config, Precision::bf16, Path::cpu, arena);
  const at::Tensor tokens = support::ids({1, 8}, 83, 1);
  const at::Tensor before = model->logits(tokens);
  {
    at::NoGradGuard no_grad;
    arena.find("lm_head.weight").value.mul_(2);
  }
  EXPECT_TRUE(at::equal(model->logits(tokens), before));
  model->weights_changed();
  EXPECT_TRUE(at::equal(model->logits(tokens), before * 2));
}

TEST(Llama, RefusesTokensOutsideTheVocabulary) {
  const config::ModelConfig config =
      odd_model(config::Activation::silu, true, config::QkNorm::none, false);
  tensor::Arena arena = make_arena(config);
  const auto model = make_llama(config, Precision::fp32, Path::cpu, arena);
  const at::Tensor good = at::zeros({1, 4}, at::kLong), bad = at::full({1, 4}, 83, at::kLong);
  EXPECT_THROW(model->forward(bad, good), base::Error);
  EXPECT_THROW(model->forward(good, bad), base::Error);
}

TEST(Llama, AnObserverSeesWhatMatricesReadAndTheLargestLogit) {
  const config::ModelConfig config =
      odd_model(config::Activation::silu, true, config::QkNorm::no_gain, false);
  for (const Path path : {Path::cpu, Path::reference}) {
    tensor::Arena arena = make_arena(config);
    initialize(config, 3, arena);
    const auto model = make_llama(config, Precision::fp32, path, arena);
    const int64_t b = 3, t = 20, d = *config.head_dim;
    std::map<std::pair<int64_t, config::Role>, at::Tensor> inputs;
    std::vector<double> logits;
    Observer observer;
    observer.input = [&](int64_t layer, config::Role role, const at::Tensor& x) {
      inputs[{layer, role}] = x.clone();
    };
    observer.max_logit = [&](int64_t layer, double logit) {
      EXPECT_EQ(layer, static_cast<int64_t>(logits.size()));
      logits.push_back(logit);
    };
    model->observe(support::ids({b, t}, *config.vocabulary, 1), observer);
    ASSERT_EQ(inputs.size(), 8u);
    ASSERT_EQ(logits.size(), 2u);
    const auto weight = [&](const std::string& name) {
      return arena.find("model.layers.1." + name + ".weight").value.detach();
    };
    const at::Tensor x = inputs.at({1, config::Role::q});
    const ops::RotaryTable rotary =
        ops::make_rotary_table(t, d, config.rope_theta, at::kFloat, at::kCPU);
    const auto rotated = [&](const std::string& name, int64_t heads) {
      const at::Tensor y = at::linear(x, weight("self_attn." + name)).view({b, t, heads, d});
      return ops::rope_reference(ops::rms_norm_reference(y, {}, config.norm_eps), rotary);
    };
    const at::Tensor q = rotated("q_proj", config.heads), k = rotated("k_proj", *config.kv_heads);
    double largest = -1e9;
    for (int64_t i = 0; i < t; ++i) {
      for (int64_t head = 0; head < config.heads; ++head) {
        const at::Tensor query = q.select(1, i).select(1, head),
                         keys = k.narrow(1, 0, i + 1).select(2, head / 2);
        largest = std::max(largest, (query.unsqueeze(1) * keys).sum(2).max().item<double>());
      }
    }
    EXPECT_NEAR(logits[1], largest / std::sqrt(static_cast<double>(d)), 1e-5);
    const at::Tensor h = inputs.at({1, config::Role::ffn_in});
    const at::Tensor active =
        at::silu(at::linear(h, weight("mlp.gate_proj"))) * at::linear(h, weight("mlp.up_proj"));
    EXPECT_LE(distance(inputs.at({1, config::Role::ffn_out}), active), 1e-5);
    EXPECT_EQ(inputs.at({1, config::Role::o}).size(1), config.heads * d);
  }
}

}  // namespace
}  // namespace muonlab::model
