// Every plain operation against central differences in double, once and twice.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "muonlab/ops/activation.hpp"
#include "muonlab/ops/attention.hpp"
#include "muonlab/ops/cross_entropy.hpp"
#include "muonlab/ops/embedding.hpp"
#include "muonlab/ops/linear.hpp"
#include "muonlab/ops/rms_norm.hpp"
#include "support/gradient_check.hpp"
#include "support/parameters.hpp"

namespace muonlab::ops {
namespace {

using support::borrowed;
using support::Tensors;
using tensor::Path;

at::Tensor normal64(at::IntArrayRef shape, uint64_t stream) {
  return support::normal(shape, stream, at::kDouble);
}

void check_both(const support::Function& f, const Tensors& inputs) {
  support::check_gradients(f, inputs);
  support::check_second_gradients(f, inputs);
}

TEST(ReferenceOps, LinearOverStackedParts) {
  const auto f = [](const Tensors& x) {
    const StackedWeight weight({borrowed(x[1]), borrowed(x[2])}, Path::reference, at::kDouble);
    const at::Tensor y = linear(x[0], weight);
    return y * y;  // a linear map has no second derivative of its own
  };
  check_both(f, {normal64({3, 4}, 1), normal64({2, 4}, 2), normal64({5, 4}, 3)});
}

TEST(ReferenceOps, RmsNorm) {
  const auto f = [](const Tensors& x) { return rms_norm_reference(x[0], x[1], 1e-5); };
  check_both(f, {normal64({3, 7}, 1), normal64({7}, 2)});
  check_both([](const Tensors& x) { return rms_norm_reference(x[0], at::Tensor(), 1e-2); },
             {normal64({2, 5}, 3)});
}

TEST(ReferenceOps, AddNorm) {
  const auto f = [](const Tensors& x) {
    const Normed out = add_norm(Path::reference, x[0], x[1], borrowed(x[2]), 1e-5, at::kDouble);
    return at::cat({out.residual_nw * out.residual_nw, out.normed_nw});
  };
  check_both(f, {normal64({3, 6}, 1), normal64({3, 6}, 2), normal64({6}, 3)});
}

TEST(ReferenceOps, Rope) {
  const RotaryTable table = make_rotary_table(5, 6, 100.0, at::kDouble, at::kCPU);
  const auto f = [&](const Tensors& x) {
    const at::Tensor y = rope_reference(x[0], table);
    return y * y * y;
  };
  check_both(f, {normal64({2, 5, 3, 6}, 1)});
}

TEST(ReferenceOps, RopeTurnsPairsByPositionAndKeepsLengths) {
  const RotaryTable table = make_rotary_table(4, 4, 10000.0, at::kDouble, at::kCPU);
  const at::Tensor x = normal64({1, 4, 1, 4}, 1);
  const at::Tensor y = rope_reference(x, table);
  for (int64_t t = 0; t < 4; ++t) {
    for (int64_t i = 0; i < 2; ++i) {
      const double angle = static_cast<double>(t) * (i == 0 ? 1.0 : 0.01);
      const double x1 = x[0][t][0][i].item<double>(), x2 = x[0][t][0][i + 2].item<double>();
      EXPECT_NEAR((y[0][t][0][i].item<double>()), x1 * std::cos(angle) - x2 * std::sin(angle),
                  1e-14);
      EXPECT_NEAR((y[0][t][0][i + 2].item<double>()), x2 * std::cos(angle) + x1 * std::sin(angle),
                  1e-14);
    }
  }
}

TEST(ReferenceOps, Attention) {
  const auto f = [](const Tensors& x) { return attention_reference(x[0], x[1], x[2]); };
  check_both(f, {normal64({1, 4, 3, 2}, 1), normal64({1, 2, 3, 2}, 2), normal64({1, 2, 3, 2}, 3)});
}

TEST(ReferenceOps, AttentionSeesNoLaterToken) {
  const at::Tensor q = normal64({1, 2, 5, 4}, 1), k = normal64({1, 2, 5, 4}, 2),
                   v = normal64({1, 2, 5, 4}, 3);
  const at::Tensor before = attention_reference(q, k, v);
  at::Tensor k2 = k.clone(), v2 = v.clone();
  k2.narrow(2, 3, 2).fill_(9);
  v2.narrow(2, 3, 2).fill_(9);
  const at::Tensor after = attention_reference(q, k2, v2);
  EXPECT_TRUE(at::equal(before.narrow(2, 0, 3), after.narrow(2, 0, 3)));
  EXPECT_FALSE(at::allclose(before.narrow(2, 3, 2), after.narrow(2, 3, 2)));
}

TEST(ReferenceOps, SelfAttention) {
  AttentionSpec spec{.heads = {.queries = 2, .keys = 1, .head_dim = 4}};
  const RotaryTable table = make_rotary_table(3, 4, 100.0, at::kDouble, at::kCPU);
  for (const config::QkNorm mode :
       {config::QkNorm::none, config::QkNorm::no_gain, config::QkNorm::gain}) {
    spec.norm.mode = mode;
    const auto f = [&](const Tensors& x) {
      HeadGains gains;
      if (mode == config::QkNorm::gain) gains = {borrowed(x[1]), borrowed(x[2])};
      return self_attention(Path::reference, x[0], 2, spec, table, gains);
    };
    Tensors inputs{normal64({6, spec.heads.packed_width()}, 1)};
    if (mode == config::QkNorm::gain)
      inputs.insert(inputs.end(), {normal64({4}, 2), normal64({4}, 3)});
    check_both(f, inputs);
  }
}

TEST(ReferenceOps, Activations) {
  for (const auto activation :
       {config::Activation::silu, config::Activation::gelu, config::Activation::relu2}) {
    for (const bool gated : {true, false}) {
      const auto f = [&](const Tensors& x) {
        return activate(Path::reference, x[0], activation, gated);
      };
      support::check_gradients(f, {normal64({3, 8}, 1)});
      if (activation != config::Activation::relu2)
        support::check_second_gradients(f, {normal64({3, 8}, 1)});
    }
  }
}

TEST(ReferenceOps, Embedding) {
  const at::Tensor tokens = support::ids({7}, 4, 1);
  const auto f = [&](const Tensors& x) {
    const at::Tensor y = embedding(Path::reference, tokens, borrowed(x[0]));
    return y * y;
  };
  check_both(f, {normal64({4, 3}, 2)});
}

TEST(ReferenceOps, CrossEntropy) {
  at::Tensor targets = support::ids({5}, 7, 1);
  targets[2] = kIgnoredTarget;
  const auto f = [&](const Tensors& x) {
    const StackedWeight head({borrowed(x[1])}, Path::reference, at::kDouble);
    return cross_entropy(x[0], head, targets);
  };
  check_both(f, {normal64({5, 3}, 2), normal64({7, 3}, 3)});
}

}  // namespace
}  // namespace muonlab::ops
