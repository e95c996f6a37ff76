// The bug classes of other Muon implementations (reference: muon.md §8), by their numbers there.
// Left out are those that cannot occur here: 8 (clipping stands before the optimizer and is
// train's), 11 (no adaptive variants), 12 (no Gram form).
#include <sys/mman.h>

#include <cmath>

#include <gtest/gtest.h>

#include "optim/adamw_kernel.hpp"
#include "optim/muon_kernels.hpp"
#include "optim/trial.hpp"

namespace muonlab::optim {
namespace {

using config::MuonConfig;

template <class Change>
MuonConfig muon(Change change) {
  MuonConfig c;
  change(c);
  return c;
}

TEST(MuonBug01, OrthogonalizationReallyRuns) {
  Trial trial({matrix("a", 24, 40), matrix("b", 40, 24), matrix("c", 24, 24)},
              muon([](auto& c) { c.lr = 1.0; }));
  trial.fill(1);
  const at::Tensor before = trial.arena.values().clone();
  trial.optimizer.step(1, 10);
  EXPECT_EQ(trial.optimizer.num_orthogonalizations(), 3);
  trial.optimizer.step(2, 10);
  EXPECT_EQ(trial.optimizer.num_orthogonalizations(), 6);
  Trial once({matrix("a", 24, 40)}, muon([](auto& c) { c.lr = 1.0; }));
  once.fill(1);
  const at::Tensor start = once.value("a").clone();
  once.optimizer.step(1, 10);
  const at::Tensor s = at::linalg_svdvals(start - once.value("a"));
  EXPECT_GT(s.min().item<double>(), 0.4);  // Keller's band; a plain gradient has s.max() near 11
  EXPECT_LT(s.max().item<double>(), 1.21);
}

TEST(MuonBug01, OtherRulesRunNone) {
  Trial trial({matrix("a", 4, 4)}, config::AdamWConfig{});
  trial.fill(1);
  trial.optimizer.step(1, 10);
  EXPECT_EQ(trial.optimizer.num_orthogonalizations(), 0);
}

TEST(MuonBug02, MomentumAndGradientAreNotOverwritten) {
  for (const auto iteration : {config::IterationType::fp32, config::IterationType::bf16}) {
    for (const bool nesterov : {false, true}) {
      Trial trial({matrix("a", 20, 30), matrix("b", 30, 20)}, muon([&](auto& c) {
                    c.iteration = iteration;
                    c.nesterov = nesterov;
                  }));
      std::map<std::string, at::Tensor> expected;
      for (int64_t step = 1; step <= 3; ++step) {
        trial.fill_grads(static_cast<uint64_t>(step));
        const at::Tensor grads = trial.arena.grads().clone();
        trial.optimizer.step(step, 3);
        EXPECT_TRUE(identical(trial.arena.grads(), grads));
        for (const char* name : {"a", "b"}) {
          const at::Tensor g = trial.grad(name).to(at::kDouble);
          expected[name] = step == 1 ? g : expected[name] * 0.95 + g;
          EXPECT_LT(relative_error(trial.state(std::string(name) + "/momentum"), expected[name]),
                    2e-7);
        }
      }
    }
  }
}

TEST(MuonBug03, DecaysOnceWithTheBaseRateWhateverTheScale) {
  Trial trial({matrix("a", 64, 16)}, muon([](auto& c) {
                c.lr = 0.5;
                c.decay = 0.25;
                c.scale = config::MuonScale::rms_adam;  // 1.6 here
              }));
  trial.fill(1, /*grad_scale=*/0.0);
  const at::Tensor before = trial.value("a").clone();
  trial.optimizer.step(1, 10);
  EXPECT_TRUE(identical(trial.value("a"), before * 0.875f));
}

// Ratio of the update with a scale to the update with none.
double applied_scale(config::MuonScale scale, int64_t rows, int64_t cols) {
  std::vector<at::Tensor> changes;
  for (const auto s : {scale, config::MuonScale::none}) {
    Trial trial({matrix("a", rows, cols)}, muon([&](auto& c) {
                  c.lr = 1.0;
                  c.scale = s;
                }));
    trial.fill(1);
    const at::Tensor before = trial.value("a").clone();
    trial.optimizer.step(1, 10);
    changes.push_back(trial.value("a") - before);
  }
  return (changes[0].norm() / changes[1].norm()).item<double>();
}

TEST(MuonBug04, ScaleIsOfTheStoredShapeOutByIn) {
  using enum config::MuonScale;
  EXPECT_NEAR(applied_scale(max_ratio, 36, 9), 2.0, 1e-5);  // out 36, in 9
  EXPECT_NEAR(applied_scale(max_ratio, 9, 36), 1.0, 1e-5);
  EXPECT_NEAR(applied_scale(ratio, 36, 9), 2.0, 1e-5);
  EXPECT_NEAR(applied_scale(ratio, 9, 36), 0.5, 1e-5);
  EXPECT_NEAR(applied_scale(rms_adam, 36, 9), 1.2, 1e-5);
  EXPECT_NEAR(applied_scale(rms_adam, 9, 36), 1.2, 1e-5);
}

// Per head: rows of q, k and v and columns of o are updated as if they were parameters of their
// own, scale included.
TEST(MuonBug04, HeadsAreBlocksOfRowsOrColumnsWithTheirOwnScale) {
  constexpr int64_t kHead = 6, kWidth = 20;
  const MuonConfig base = muon([](auto& c) {
    c.lr = 1.0;
    c.scale = config::MuonScale::ratio;
  });
  config::RunConfig run = run_with(muon([&](auto& c) {
    c = base;
    c.per_head = true;
  }));
  run.model.width = kWidth;
  run.model.heads = 3;
  run.model.kv_heads = 2;
  run.model.head_dim = kHead;
  Trial whole({matrix("q", 3 * kHead, kWidth, Role::q), matrix("k", 2 * kHead, kWidth, Role::k),
               matrix("v", 2 * kHead, kWidth, Role::v), matrix("o", kWidth, 3 * kHead, Role::o),
               matrix("in", 3 * kHead, kWidth, Role::ffn_in)},
              run);
  whole.fill(1);
  std::map<std::string, at::Tensor> start;
  for (const char* name : {"q", "k", "v", "o", "in"}) start[name] = whole.value(name).clone();
  whole.optimizer.step(1, 10);
  EXPECT_EQ(whole.optimizer.num_orthogonalizations(), 3 + 2 + 2 + 3 + 1);
  const auto expect_block = [&](const std::string& name, int64_t dim, int64_t from, int64_t count) {
    const at::Tensor w = start[name].narrow(dim, from, count),
                     g = whole.grad(name).narrow(dim, from, count);
    Trial one({matrix("x", w.size(0), w.size(1), Role::ffn_in)}, base);
    one.value("x").copy_(w);
    one.grad("x").copy_(g);
    one.optimizer.step(1, 10);
    EXPECT_LT(relative_error(whole.value(name).narrow(dim, from, count) - w, one.value("x") - w),
              1e-6)
        << name << " from " << from;
  };
  for (int64_t head = 0; head < 3; ++head) expect_block("q", 0, head * kHead, kHead);
  for (int64_t head = 0; head < 2; ++head) expect_block("k", 0, head * kHead, kHead);
  for (int64_t head = 0; head < 2; ++head) expect_block("v", 0, head * kHead, kHead);
  for (int64_t head = 0; head < 3; ++head) expect_block("o", 1, head * kHead, kHead);
  expect_block("in", 0, 0, 3 * kHead);
}

TEST(MuonBug05, AMatrixDoesNotFeelItsNeighbours) {
  const std::vector<ParameterSpec> all{matrix("a", 40, 60), matrix("b", 60, 40),
                                       matrix("c", 40, 60, Role::ffn_out), matrix("d", 40, 40),
                                       matrix("e", 40, 60, Role::ffn_out, 1)};
  for (const auto iteration : {config::IterationType::fp32, config::IterationType::bf16}) {
    const MuonConfig config = muon([&](auto& c) { c.iteration = iteration; });
    Trial together(all, config);
    together.fill(1);
    together.optimizer.step(1, 10);
    for (const ParameterSpec& spec : all) {
      Trial alone({spec}, config);
      alone.fill(1);
      alone.optimizer.step(1, 10);
      EXPECT_LT(relative_error(together.value(spec.name), alone.value(spec.name)), 1e-6)
          << spec.name;
    }
  }
}

TEST(MuonBug06, TheStateSaysWhichMomentumItHolds) {
  Trial sum({matrix("a", 4, 4)}, MuonConfig{});
  Trial average({matrix("a", 4, 4)},
                muon([](auto& c) { c.momentum_form = config::MomentumForm::average; }));
  EXPECT_EQ(sum.optimizer.state().at(0).name, "a/momentum");
  EXPECT_EQ(average.optimizer.state().at(0).name, "a/momentum_average");
}

TEST(MuonBug06, SumAndAverageAgreeAtConstantMomentum) {
  const std::vector<ParameterSpec> specs{matrix("a", 20, 30)};
  for (const bool nesterov : {false, true}) {
    Trial sum(specs, muon([&](auto& c) { c.nesterov = nesterov; }));
    Trial average(specs, muon([&](auto& c) {
                    c.nesterov = nesterov;
                    c.momentum_form = config::MomentumForm::average;
                  }));
    for (Trial* trial : {&sum, &average}) {
      trial->fill(1);
      for (int64_t step = 1; step <= 3; ++step) {
        trial->fill_grads(static_cast<uint64_t>(step));
        trial->optimizer.step(step, 3);
      }
    }
    EXPECT_LT(relative_error(sum.value("a"), average.value("a")), 1e-6);
    EXPECT_LT(relative_error(average.state("a/momentum_average"), sum.state("a/momentum") * 0.05),
              1e-6);
  }
}

TEST(MuonBug07, AMatrixThatIsNotFiniteSpoilsNoOther) {
  Trial trial({matrix("a", 20, 30), matrix("b", 20, 30, Role::v, 1)}, MuonConfig{});
  trial.fill(1);
  // the guard for this stands before the optimizer; here it must at least stay put
  trial.grad("a").fill_(INFINITY);
  trial.optimizer.step(1, 10);
  Trial clean({matrix("b", 20, 30, Role::v, 1)}, MuonConfig{});
  clean.fill(1);
  clean.optimizer.step(1, 10);
  EXPECT_LT(relative_error(trial.value("b"), clean.value("b")), 1e-6);
}

TEST(MuonBug09, TinyGradientsAreOrthogonalizedLikeAnyOther) {
  for (const auto iteration : {config::IterationType::fp32, config::IterationType::bf16}) {
    std::vector<at::Tensor> results;
    for (const int exponent : {0, -40, -80, 40}) {  // 2^-80 is 8e-25: its square is no fp32 number
      Trial trial({matrix("a", 20, 30), matrix("b", 30, 20)},
                  muon([&](auto& c) { c.iteration = iteration; }));
      trial.fill(1);
      trial.arena.grads().mul_(std::ldexp(1.0, exponent));
      trial.optimizer.step(1, 10);
      results.push_back(trial.arena.values().clone());
    }
    for (const at::Tensor& result : results) EXPECT_TRUE(identical(result, results[0]));
  }
}

// More than 2^31 values: memory that is only reserved, with one block far behind in it.
TEST(MuonBug10, OffsetsBeyond32Bits) {
  const int64_t offset = (int64_t{1} << 31) + 48;
  const size_t bytes = static_cast<size_t>(offset + 4096) * sizeof(float);
  const auto reserve = [&] {
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? nullptr : static_cast<float*>(memory);
  };
  float *g = reserve(), *m = reserve(), *w = reserve();
  if (!g || !m || !w) GTEST_SKIP() << "no 26 GB of addresses here";
  const Block block{offset, 5, 7, 7};
  for (int64_t i = 0; i < 35; ++i) g[offset + i] = 1.0f;
  const MomentumForm form{0.5f, 1.0f, 0.0f, 1.0f};
  EXPECT_DOUBLE_EQ(update_momentum(block, form, g, m), 35.0);
  std::vector<float> packed(35);
  pack_direction(block, form, 2.0f, g, m, packed.data());
  EXPECT_EQ(packed, std::vector<float>(35, 2.0f));
  apply_direction(block, 1.0f, 0.25f, packed.data(), w);
  EXPECT_EQ(w[offset + 34], -0.5f);
  for (float* memory : {g, m, w}) munmap(memory, bytes);
}

// A step counter in bf16 stops at 256, and bias correction with it.
TEST(MuonBug10, BiasCorrectionKeepsCounting) {
  config::AdamWConfig adamw;
  adamw.betas = {0.9, 0.999};
  Trial trial({matrix("a", 1, 1)}, adamw);
  trial.value("a").fill_(0.0);
  trial.grad("a").fill_(1.0);
  trial.state("a/age").fill_(999);
  trial.optimizer.step(1, 2000);  // moments (0.1, 0.001), corrected by 1 - beta^1000
  const double expected =
      -1e-3 * (0.1 / (1 - std::pow(0.9, 1000))) / std::sqrt(0.001 / (1 - std::pow(0.999, 1000)));
  EXPECT_NEAR(trial.value("a").item<double>(), expected, 1e-6 * std::abs(expected));
}

TEST(MuonBug13, DefaultsAreThePapers) {
  const MuonConfig c;
  EXPECT_EQ(c.momentum, 0.95);
  EXPECT_EQ(c.momentum_form, config::MomentumForm::sum);
  EXPECT_FALSE(c.nesterov);
  EXPECT_EQ(c.orthogonalizer, config::Orthogonalizer::keller);
  EXPECT_EQ(c.scale, config::MuonScale::none);
  EXPECT_EQ(c.decay, 0.0);
  const config::AdamWConfig a;
  EXPECT_EQ(a.betas, (std::array<double, 2>{0.8, 0.95}));
  EXPECT_EQ(a.eps, 1e-8);
  EXPECT_EQ(a.decay, 0.0);
}

}  // namespace
}  // namespace muonlab::optim
