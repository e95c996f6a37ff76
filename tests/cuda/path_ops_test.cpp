// The operations on the path cuda against their plain references in double, by the plugin's
// operators for the CPU and, where there is a GPU, by its kernels: which operator is called with
// what, and what it computes.
#include <gtest/gtest.h>

#include "cuda/host_operators.hpp"
#include "muonlab/ops/activation.hpp"
#include "muonlab/ops/attention.hpp"
#include "muonlab/ops/cross_entropy.hpp"
#include "muonlab/ops/embedding.hpp"
#include "muonlab/ops/linear.hpp"
#include "muonlab/ops/rms_norm.hpp"
#include "muonlab/tensor/plugin.hpp"
#include "ops/fused_runner.hpp"

namespace muonlab::ops {
namespace {

class CudaPathOps : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    cuda::register_host_operators();
    if (device().is_cpu()) return;
    const std::string problem = tensor::plugin::load();
    if (!problem.empty()) GTEST_SKIP() << problem;
  }

  static at::Device device() { return at::Device(GetParam()); }
  static Runner runner(Runner::Body body) { return {std::move(body), Path::cuda, device()}; }
  // Weights that bf16 holds exactly, so that the shadow is the parameter.
  static at::Tensor weight(at::IntArrayRef shape, uint64_t stream) {
    return normal(shape, stream).to(at::kBFloat16).to(at::kFloat);
  }
  // A weight outlives its graphs.
  static const StackedWeight& stacked(const std::vector<tensor::Parameter>& parts, Path path,
                                      at::ScalarType dtype, int64_t multiple = 1) {
    static std::vector<std::unique_ptr<StackedWeight>> alive;
    alive.push_back(std::make_unique<StackedWeight>(parts, path, dtype, multiple));
    return *alive.back();
  }
};

TEST_P(CudaPathOps, Linear) {
  const Runner test =
      runner([](Path path, const Tensors& x, std::vector<tensor::Parameter>& p,
                at::ScalarType dtype) { return Tensors{linear(x[0], stacked(p, path, dtype))}; });
  for (const at::ScalarType dtype : kDtypes)
    test.check({normal({33, 20}, 1, dtype)}, {weight({7, 20}, 2), weight({5, 20}, 3)}, dtype);
}

TEST_P(CudaPathOps, AddNorm) {
  for (const bool has_branch : {true, false}) {
    const Runner test = runner([&](Path path, const Tensors& x, std::vector<tensor::Parameter>& p,
                                   at::ScalarType dtype) {
      const Normed out = add_norm(path, x[0], has_branch ? x[1] : at::Tensor(), p[0], 1e-5, dtype);
      return Tensors{out.residual_nw, out.normed_nw};
    });
    for (const at::ScalarType dtype : kDtypes) {
      for (const auto& [n, w] : {std::pair<int64_t, int64_t>{1, 5}, {37, 24}, {70, 129}}) {
        Tensors inputs{normal({n, w}, 1)};
        if (has_branch) inputs.push_back(normal({n, w}, 2, dtype));
        test.check(inputs, {normal({w}, 3)}, dtype);
      }
    }
  }
}

TEST_P(CudaPathOps, Activation) {
  for (const auto activation : {config::Activation::silu, config::Activation::gelu,
                                config::Activation::relu2, config::Activation::gelu_tanh}) {
    for (const bool gated : {true, false}) {
      const Runner test =
          runner([&](Path path, const Tensors& x, std::vector<tensor::Parameter>&, at::ScalarType) {
            return Tensors{activate(path, x[0], activation, gated)};
          });
      for (const at::ScalarType dtype : kDtypes)
        test.check({normal({23, 72}, 2, dtype)}, {}, dtype);
    }
  }
}

// Runs of equal tokens within a block, over its edge, over many blocks, and of all tokens.
TEST_P(CudaPathOps, Embedding) {
  for (const auto& [n, vocabulary] :
       {std::pair<int64_t, int64_t>{1, 4}, {200, 13}, {200, 150}, {300, 2}, {129, 1}, {64, 2}}) {
    const at::Tensor tokens = support::ids({n}, vocabulary, 1);
    const Runner test =
        runner([&](Path path, const Tensors&, std::vector<tensor::Parameter>& p, at::ScalarType) {
          return Tensors{embedding(path, tokens.to(p[0].value.device()), p[0])};
        });
    SCOPED_TRACE(testing::Message() << n << " tokens of " << vocabulary);
    // The sums of a row are long, and what they add cancels.
    test.check({}, {normal({vocabulary, 9}, 2)}, at::kFloat, 4.0);
    test.check({}, {normal({vocabulary, 8}, 2)}, at::kFloat, 4.0);
  }
}

// The host does not look at the ids, and a wrong one must not read or write foreign memory.
TEST_P(CudaPathOps, IdsOutsideTheVocabularyGiveNoNumber) {
  namespace plugin = tensor::plugin;
  const at::Tensor tokens = at::tensor({0, 4, -1, 3}, at::kLong).to(device());
  const at::Tensor weight = normal({4, 8}, 1).to(device());
  const at::Tensor wrong = at::tensor({0, 1, 1, 0}, at::kLong).to(device());
  const at::Tensor rows = plugin::embed(tokens, weight);
  EXPECT_TRUE(at::equal(rows.isnan().any(1).to(at::kLong), wrong));
  const auto [sorted, places] = at::sort(tokens, true, 0, false);
  const at::Tensor grad = at::zeros_like(weight);
  plugin::embed_backward_(grad, sorted, places, at::ones_like(weight));
  EXPECT_EQ(grad.sum().item<float>(), 16.0f);
  const at::Tensor losses = at::zeros({4}, weight.options());
  plugin::cross_entropy_(normal({4, 4}, 2).to(device()), tokens, losses,
                         at::full({1}, 4, tokens.options()), 4, -100);
  EXPECT_TRUE(at::equal(losses.isnan().to(at::kLong), wrong));
}

TEST_P(CudaPathOps, CrossEntropy) {
  for (const at::ScalarType dtype : kDtypes) {
    for (const auto& [n, w, v] :
         {std::tuple<int64_t, int64_t, int64_t>{1, 8, 5}, {50, 12, 61}, {64, 16, 128}, {7, 4, 1}}) {
      at::Tensor targets = support::ids({n}, v, 5);
      for (int64_t i = 1; i < n; i += 3) targets[i] = kIgnoredTarget;
      const Runner test = runner([&](Path path, const Tensors& x, std::vector<tensor::Parameter>& p,
                                     at::ScalarType compute) {
        const StackedWeight& head = stacked(p, path, compute, 64);
        const at::Tensor wanted = targets.to(x[0].device());
        return Tensors{cross_entropy(x[0], head, wanted) * 3.0,
                       token_cross_entropy(x[0], head, wanted)};
      });
      SCOPED_TRACE(testing::Message() << "n " << n << " v " << v << " " << at::toString(dtype));
      test.check({normal({n, w}, 7, dtype)}, {weight({v, w}, 6)}, dtype, 2.0);
    }
  }
}

TEST_P(CudaPathOps, CrossEntropyWithBiasCapAndZLoss) {
  at::Tensor targets = support::ids({50}, 61, 5);
  for (int64_t i = 1; i < 50; i += 3) targets[i] = kIgnoredTarget;
  for (const LogitOptions& options :
       {LogitOptions{.cap = 2.5, .form = config::CapForm::rsqrt}, {.cap = 4.0, .z_loss = 0.02}}) {
    for (const at::ScalarType dtype : kDtypes) {
      const Runner test = runner([&](Path path, const Tensors& x, std::vector<tensor::Parameter>& p,
                                     at::ScalarType compute) {
        static std::vector<std::unique_ptr<StackedWeight>> alive;
        alive.push_back(std::make_unique<StackedWeight>(std::vector{p[0]}, path, compute, 64,
                                                        std::vector{p[1]}));
        const at::Tensor wanted = targets.to(x[0].device());
        return Tensors{cross_entropy(x[0], *alive.back(), wanted, options) * 3.0,
                       token_cross_entropy(x[0], *alive.back(), wanted, options)};
      });
      test.check({normal({50, 12}, 7, dtype)}, {weight({61, 12}, 6), weight({61}, 8)}, dtype, 3.0);
    }
  }
}

TEST_P(CudaPathOps, SelfAttention) {
  struct Case {
    int64_t b, t, queries, keys, d;
  };
  for (const Case& c : std::vector<Case>{{1, 1, 1, 1, 2},
                                         {2, 5, 2, 1, 6},
                                         {1, 63, 4, 2, 16},
                                         {2, 64, 2, 2, 64},
                                         {1, 65, 3, 1, 20},
                                         {1, 200, 6, 3, 96},
                                         {1, 9, 2, 1, 600}}) {
    for (const auto mode : {config::QkNorm::none, config::QkNorm::no_gain, config::QkNorm::gain}) {
      const AttentionSpec spec{.heads = {.queries = c.queries, .keys = c.keys, .head_dim = c.d},
                               .norm = {.mode = mode}};
      const Runner test = runner([&](Path path, const Tensors& x, std::vector<tensor::Parameter>& p,
                                     at::ScalarType) {
        const RotaryTable table =
            make_rotary_table(c.t + 3, c.d, 1000.0,
                              path == Path::reference ? at::kDouble : at::kFloat, x[0].device());
        HeadGains gains;
        if (mode == config::QkNorm::gain) gains = {p[0], p[1]};
        return Tensors{self_attention(path, x[0], c.b, spec, table, gains)};
      });
      Tensors gains;
      if (mode == config::QkNorm::gain)
        gains = {1 + 0.3 * normal({c.d}, 2), 1 + 0.3 * normal({c.d}, 3)};
      for (const at::ScalarType dtype : kDtypes) {
        SCOPED_TRACE(testing::Message() << "t " << c.t << " d " << c.d << " norm "
                                        << static_cast<int>(mode) << " " << at::toString(dtype));
        test.check({normal({c.b * c.t, spec.heads.packed_width()}, 1, dtype)}, gains, dtype, 2.0);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(By, CudaPathOps, testing::Values("cpu", "cuda"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace muonlab::ops
