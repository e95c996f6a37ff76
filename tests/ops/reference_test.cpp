// Every plain operation against central differences in double, once and twice.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "muonlab/ops/activation.hpp"
#include "muonlab/ops/attention.hpp"
#include "muonlab/ops/cross_entropy.hpp"
#include "muonlab/ops/embedding.hpp"
#include "muonlab/ops/linear.hpp"
#include "muonlab/ops/rms_norm.hpp"
#include "muonlab/ops/visible_keys.hpp"
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

TEST(ReferenceOps, FirstKeysFollowTheWindowAndTheDocuments) {
  const at::Tensor tokens =
      at::tensor({5, 1, 9, 2, 9, 1, 1, 9, 1, 1, 1, 1}, at::kLong).view({2, 6});
  const auto first = [&](const AttentionSpec& spec) {
    return first_keys(tokens, spec).to(at::kLong).reshape(-1);
  };
  EXPECT_FALSE(first_keys(tokens, {}).defined());
  EXPECT_TRUE(at::equal(first({.window = 2}), at::tensor({0, 0, 1, 2, 3, 4, 0, 0, 1, 2, 3, 4})));
  EXPECT_TRUE(
      at::equal(first({.document_start = 9}), at::tensor({0, 0, 2, 2, 4, 4, 0, 1, 1, 1, 1, 1})));
  EXPECT_TRUE(at::equal(first({.window = 2, .document_start = 9}),
                        at::tensor({0, 0, 2, 2, 4, 4, 0, 1, 1, 2, 3, 4})));
}

TEST(ReferenceOps, AttentionSeesNoHiddenToken) {
  const at::Tensor q = normal64({1, 1, 6, 4}, 1), k = normal64({1, 1, 6, 4}, 2),
                   v = normal64({1, 1, 6, 4}, 3);
  const AttentionSpec spec{.window = 2};
  const at::Tensor first = first_keys(at::zeros({1, 6}, at::kLong), spec);
  const at::Tensor masked = attention_reference(q, k, v, spec, first);
  // The last query alone, over the two keys that it sees.
  const at::Tensor scores = at::matmul(k[0][0].narrow(0, 4, 2), q[0][0][5]) / 2.0;
  const at::Tensor expected = at::matmul(at::softmax(scores, 0), v[0][0].narrow(0, 4, 2));
  EXPECT_LE((masked[0][0][5] - expected).abs().max().item<double>(), 1e-14);
}

TEST(ReferenceOps, MeanKeysCountsTheWindow) {
  for (const int64_t window : {1, 3, 10, 50}) {
    const AttentionSpec spec{.window = window};
    double total = 0;
    for (int64_t t = 0; t < 10; ++t) total += static_cast<double>(std::min(t + 1, window));
    EXPECT_DOUBLE_EQ(spec.mean_keys(10), total / 10) << window;
  }
  EXPECT_EQ(AttentionSpec{}.mean_keys(256), 128.5);
}

TEST(ReferenceOps, PartOfAHeadIsRotated) {
  const RotaryTable table =
      make_rotary_table(4, 8, Rotation{.theta = 100.0, .fraction = 0.5}, at::kDouble, at::kCPU);
  const at::Tensor x = normal64({1, 4, 1, 8}, 1), y = rope_reference(x, table);
  for (const int64_t still : {2, 3, 6, 7})
    EXPECT_TRUE(at::equal(x.select(3, still), y.select(3, still))) << still;
  const double angle = 3 * std::pow(100.0, -2.0 / 4.0);  // of pair 1 of two, at position 3
  EXPECT_NEAR(y[0][3][0][1].item<double>(),
              x[0][3][0][1].item<double>() * std::cos(angle) -
                  x[0][3][0][5].item<double>() * std::sin(angle),
              1e-14);
}

TEST(ReferenceOps, AttentionWithScaleCapAndMask) {
  const AttentionSpec spec{.scale = 0.3, .score_cap = 0.4, .window = 2};
  const at::Tensor first = first_keys(at::zeros({1, 3}, at::kLong), spec);
  const auto f = [&](const Tensors& x) {
    return attention_reference(x[0], x[1], x[2], spec, first);
  };
  check_both(f, {normal64({1, 4, 3, 2}, 1), normal64({1, 2, 3, 2}, 2), normal64({1, 2, 3, 2}, 3)});
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
  for (const auto activation : {config::Activation::silu, config::Activation::gelu,
                                config::Activation::relu2, config::Activation::gelu_tanh}) {
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

TEST(ReferenceOps, CrossEntropyWithBiasAndCap) {
  const at::Tensor targets = support::ids({5}, 7, 1);
  for (const config::CapForm form : {config::CapForm::tanh, config::CapForm::rsqrt}) {
    const LogitOptions options{.cap = 0.8, .form = form};
    const auto f = [&](const Tensors& x) {
      const StackedWeight head({borrowed(x[1])}, Path::reference, at::kDouble, 1, {borrowed(x[2])});
      return cross_entropy(x[0], head, targets, options);
    };
    check_both(f, {normal64({5, 3}, 2), normal64({7, 3}, 3), normal64({7}, 4)});
  }
}

// The value is the cross-entropy alone; the gradients are those of the sum.
TEST(ReferenceOps, ZLossIsInTheGradients) {
  at::Tensor targets = support::ids({5}, 7, 1);
  targets[2] = kIgnoredTarget;
  const at::Tensor hidden = normal64({5, 3}, 2);
  at::Tensor weight = normal64({7, 3}, 3).set_requires_grad(true);
  const StackedWeight head({borrowed(weight)}, Path::reference, at::kDouble);
  const at::Tensor plain = cross_entropy(hidden, head, targets);
  const at::Tensor loss = cross_entropy(hidden, head, targets, {.z_loss = 0.3});
  EXPECT_EQ(loss.item<double>(), plain.item<double>());
  const at::Tensor log_sum = at::logsumexp(at::linear(hidden, weight), {1});
  const at::Tensor counted = targets.ne(kIgnoredTarget).to(at::kDouble);
  const at::Tensor sum = plain + (log_sum * log_sum * counted).sum() * (0.3 / 4);
  const auto grad = [&](const at::Tensor& y) { return torch::autograd::grad({y}, {weight})[0]; };
  EXPECT_LE((grad(loss) - grad(sum)).abs().max().item<double>(), 1e-14);
}

}  // namespace
}  // namespace muonlab::ops
