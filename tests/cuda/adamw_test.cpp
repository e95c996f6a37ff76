// The kernel's body against torch.optim.AdamW's formula (its documentation's pseudocode) in double.
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "cuda/host_grid.hpp"
#include "support/parameters.hpp"

namespace muonlab::cuda {
namespace {

using support::normal;

struct Setting {
  double lr, beta1, beta2, eps, decay;
};

// theta <- theta - lr decay theta; m, v <- moving averages; theta <- theta - lr m^ / (sqrt(v^) +
// eps).
struct Oracle {
  at::Tensor theta, m, v;

  void step(const Setting& s, const at::Tensor& g, int64_t t) {
    theta = theta - s.lr * s.decay * theta;
    m = s.beta1 * m + (1 - s.beta1) * g;
    v = s.beta2 * v + (1 - s.beta2) * g * g;
    const at::Tensor m_hat = m / (1 - std::pow(s.beta1, static_cast<double>(t)));
    const at::Tensor v_hat = v / (1 - std::pow(s.beta2, static_cast<double>(t)));
    theta = theta - s.lr * m_hat / (v_hat.sqrt() + s.eps);
  }
};

struct Arrays {
  at::Tensor values, exp_avg, exp_avg_sq, shadow;
  AdamWFactors factors{};
  Status status{.loss = 1, .grad_norm = 1, .clip_factor = 1, .finite = 1};

  explicit Arrays(const at::Tensor& start)
      : values(start.clone()),
        exp_avg(at::zeros_like(start)),
        exp_avg_sq(at::zeros_like(start)),
        shadow(poisoned<Bf16>(start.sizes())) {}

  AdamW body(const at::Tensor& grads, const Setting& s, int64_t step, bool with_shadow) {
    factors = adamw_factors(s.lr, s.beta1, s.beta2, s.eps, s.decay, step);
    return {.values = data<float>(values),
            .grads = data<float>(grads),
            .exp_avg = data<float>(exp_avg),
            .exp_avg_sq = data<float>(exp_avg_sq),
            .shadow = with_shadow ? data<Bf16>(shadow) : nullptr,
            .count = values.numel(),
            .factors = &factors,
            .status = &status};
  }
};

constexpr Setting kPaper{1e-3, 0.8, 0.95, 1e-8, 0.0};
constexpr Setting kDecay{3e-2, 0.9, 0.999, 1e-8, 0.1};

double max_error(const at::Tensor& ours, const at::Tensor& exact) {
  return (ours.to(at::kDouble) - exact).abs().max().item<double>() /
         exact.abs().max().item<double>();
}

void follow(const Setting& s, int64_t n, int size, int64_t num_blocks) {
  const at::Tensor start = normal({n}, 1);
  Arrays ours(start);
  Oracle oracle{start.to(at::kDouble), at::zeros({n}, at::kDouble), at::zeros({n}, at::kDouble)};
  for (int64_t step = 1; step <= 12; ++step) {
    const at::Tensor grads = normal({n}, 10 + static_cast<uint64_t>(step)) * 0.01;
    run_grid(ours.body(grads, s, step, true), num_blocks, 64, size, 0);
    oracle.step(s, grads.to(at::kDouble), step);
    ASSERT_LT(max_error(ours.values, oracle.theta), 1e-6)
        << "step " << step << ", n " << n << ", size " << size;
    ASSERT_LT(max_error(ours.exp_avg, oracle.m), 1e-6);
    ASSERT_LT(max_error(ours.exp_avg_sq, oracle.v), 1e-6);
    ASSERT_TRUE(at::equal(ours.shadow, ours.values.to(at::kBFloat16)));
  }
}

TEST(CudaAdamW, FollowsTheFormulaOverManySteps) {
  for (const Setting& setting : {kPaper, kDecay}) {
    for (const int64_t n : {1, 3, 4, 255, 256, 1021}) {
      follow(setting, n, 4, 2);
      follow(setting, n, 1, 3);
    }
  }
}

TEST(CudaAdamW, TheGridDoesNotMatter) {
  const at::Tensor start = normal({1003}, 2), grads = normal({1003}, 3);
  Arrays wide(start), narrow_grid(start);
  run_grid(wide.body(grads, kDecay, 1, true), blocks_for(1003, kMaxLanes * 4), kMaxLanes, 4, 0);
  run_grid(narrow_grid.body(grads, kDecay, 1, true), 7, 32, 1, 0);
  EXPECT_TRUE(at::equal(wide.values, narrow_grid.values));
  EXPECT_TRUE(at::equal(wide.exp_avg_sq, narrow_grid.exp_avg_sq));
  EXPECT_TRUE(at::equal(wide.shadow, narrow_grid.shadow));
}

TEST(CudaAdamW, LeavesTheShadowAloneWhenNotAsked) {
  const at::Tensor start = normal({9}, 4), grads = normal({9}, 5);
  Arrays arrays(start);
  run_grid(arrays.body(grads, kPaper, 1, false), 1, 32, 4, 0);
  EXPECT_FALSE(at::equal(arrays.values, start));
  EXPECT_TRUE(at::equal(arrays.shadow, poisoned<Bf16>({9})));
}

TEST(CudaAdamW, StaysWhereItIsWithoutGradientOrEps) {
  const at::Tensor start = normal({5}, 6);
  Arrays arrays(start);
  run_grid(arrays.body(at::zeros({5}), {1e-3, 0.9, 0.99, 0.0, 0.0}, 1, true), 1, 32, 4, 0);
  EXPECT_TRUE(at::equal(arrays.values, start));
}

TEST(CudaAdamW, DoesNothingWhereTheFlagIsDown) {
  const at::Tensor start = normal({9}, 4);
  Arrays arrays(start);
  arrays.status.finite = 0;
  run_grid(arrays.body(normal({9}, 5), kPaper, 1, true), 1, 32, 4, 0);
  EXPECT_TRUE(at::equal(arrays.values, start));
  EXPECT_TRUE(at::equal(arrays.exp_avg, at::zeros({9})));
  EXPECT_TRUE(at::equal(arrays.shadow, poisoned<Bf16>({9})));
}

TEST(CudaAdamW, WritesNothingBehindTheEnd) {
  Arrays arrays(normal({16}, 7));
  AdamW body = arrays.body(normal({16}, 8), kPaper, 1, true);
  const at::Tensor before = arrays.values.clone();
  body.count = 13;
  run_grid(body, 2, 32, 4, 0);
  EXPECT_TRUE(at::equal(arrays.values.narrow(0, 13, 3), before.narrow(0, 13, 3)));
  EXPECT_TRUE(at::equal(arrays.shadow.narrow(0, 13, 3), poisoned<Bf16>({3})));
  EXPECT_FALSE(at::equal(arrays.values.narrow(0, 12, 1), before.narrow(0, 12, 1)));
}

}  // namespace
}  // namespace muonlab::cuda
