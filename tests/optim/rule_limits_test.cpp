// What each rule becomes in the limits where it is another one, and what its updates keep.
#include <gtest/gtest.h>

#include "optim/trial.hpp"

namespace muonlab::optim {
namespace {

using namespace config;

template <class Config, class Change>
Config changed(Config config, Change change) {
  change(config);
  return config;
}

const std::vector<ParameterSpec>& shapes() {
  static const std::vector<ParameterSpec> kSpecs{matrix("tall", 24, 10), matrix("wide", 10, 24),
                                                 matrix("square", 16, 16)};
  return kSpecs;
}

// The values after so many steps of one optimizer, from the same values and gradients.
std::vector<at::Tensor> values_after(const OptimizerConfig& config, int64_t steps,
                                     const std::vector<ParameterSpec>& specs = shapes()) {
  Trial trial(specs, config);
  trial.fill(1);
  for (int64_t step = 1; step <= steps; ++step) {
    trial.fill_grads(static_cast<uint64_t>(10 + step));
    trial.optimizer.step(step, steps);
  }
  std::vector<at::Tensor> values;
  for (const ParameterSpec& spec : specs) values.push_back(trial.value(spec.name).clone());
  return values;
}

void expect_same(const OptimizerConfig& a, const OptimizerConfig& b, double tolerance,
                 int64_t steps = 4, const std::vector<ParameterSpec>& specs = shapes()) {
  const auto x = values_after(a, steps, specs), y = values_after(b, steps, specs);
  for (size_t i = 0; i < x.size(); ++i)
    EXPECT_LE(relative_error(x[i], y[i]), tolerance) << specs[i].name;
}

// The step of a rule from gradients that are given, without decay: W before - W after, over lr.
at::Tensor direction(const OptimizerConfig& config, const std::vector<at::Tensor>& grads) {
  const at::Tensor& g = grads.front();
  Trial trial({matrix("w", g.size(0), g.size(1), Role::ffn_in)}, config);
  const double lr = std::visit([](const auto& c) { return c.lr; }, config);
  at::Tensor before;
  int64_t step = 0;
  for (const at::Tensor& grad : grads) {
    before = trial.value("w").to(at::kDouble);
    trial.grad("w").copy_(grad);
    trial.optimizer.step(++step, 100);
  }
  return (before - trial.value("w").to(at::kDouble)) / lr;
}

std::vector<at::Tensor> random_grads(int64_t rows, int64_t cols, int64_t count) {
  at::manual_seed(rows * 100 + cols);
  std::vector<at::Tensor> grads;
  for (int64_t i = 0; i < count; ++i) grads.push_back(at::randn({rows, cols}, at::kDouble));
  return grads;
}

std::vector<at::Tensor> mapped(const std::vector<at::Tensor>& grads, auto map) {
  std::vector<at::Tensor> result;
  for (const at::Tensor& g : grads) result.push_back(map(g));
  return result;
}

at::Tensor random_rotation(int64_t n, uint64_t seed) {
  at::manual_seed(seed);
  return std::get<0>(at::linalg_qr(at::randn({n, n}, at::kDouble)));
}

const auto kSvd = [](auto& c) { c.orthogonalizer = Orthogonalizer::svd; };

TEST(MuonOrder, NoneIsMomentumZero) {
  expect_same(changed(MuonConfig{}, [](auto& c) { c.order = PolarOrder::none; }),
              changed(MuonConfig{}, [](auto& c) { c.momentum = 0.0; }), 0.0);
}

TEST(MuonOrder, AfterAveragesPolarFactors) {
  const auto config = changed(MuonConfig{}, [](auto& c) {
    kSvd(c);
    c.order = PolarOrder::after;
    c.momentum_form = MomentumForm::average;
  });
  const auto grads = random_grads(12, 8, 3);
  at::Tensor average = at::zeros({12, 8}, at::kDouble);
  for (const at::Tensor& g : grads) {
    const auto [u, s, vh] = at::linalg_svd(g, false);
    average = 0.95 * average + 0.05 * at::mm(u, vh);
  }
  EXPECT_LT(relative_error(direction(config, grads), average), 1e-5);
  // and so its norm is below that of one polar factor
  EXPECT_LT(direction(config, grads).norm().item<double>(), std::sqrt(8.0) * 0.2);
}

TEST(MuonHeads, AGroupOfAllHeadsIsTheWholeMatrix) {
  RunConfig run = run_with(MuonConfig{});
  run.model.heads = run.model.kv_heads.emplace(4);
  run.model.head_dim = 3;
  const std::vector<ParameterSpec> specs{matrix("q", 12, 20, Role::q),
                                         matrix("o", 20, 12, Role::o)};
  const auto values = [&](bool per_head, int64_t group) {
    run.optimizers["rule"] = changed(MuonConfig{}, [&](auto& c) {
      c.per_head = per_head;
      c.heads_per_group = group;
    });
    Trial trial(specs, run);
    trial.fill(3);
    trial.optimizer.step(1, 2);
    EXPECT_EQ(trial.optimizer.num_orthogonalizations(), per_head ? 8 / group : 2);
    return trial.arena.values().clone();
  };
  EXPECT_TRUE(identical(values(true, 4), values(false, 1)));
  EXPECT_FALSE(identical(values(true, 2), values(false, 1)));
  EXPECT_FALSE(identical(values(true, 2), values(true, 1)));
}

TEST(MuonMomentum, ACourseThatStaysIsNone) {
  expect_same(changed(MuonConfig{},
                      [](auto& c) {
                        c.momentum_warmup = c.momentum_cooldown = 2;
                        c.momentum_start = c.momentum_final = c.momentum;
                      }),
              MuonConfig{}, 0.0);
}

TEST(NorMuon, KeepsTheNormAndEvensOutRows) {
  const auto config = changed(NorMuonConfig{}, [](auto& c) {
    kSvd(c);
    c.scale = MuonScale::none;
    c.beta2 = 0.0;
  });
  const auto muon = changed(static_cast<const MuonConfig&>(config), [](auto&) {});
  for (const auto& [rows, cols] : {std::pair{24, 10}, {10, 24}, {16, 16}}) {
    const auto grads = random_grads(rows, cols, 3);
    const at::Tensor d = direction(config, grads), o = direction(muon, grads);
    EXPECT_NEAR((d.norm() / o.norm()).item<double>(), 1.0, 1e-5);
    const at::Tensor norms = d.norm(2, 1);
    EXPECT_LT((norms / norms.mean() - 1).abs().max().item<double>(), 1e-4);
  }
}

TEST(NorMuon, IsMuonWhereThereIsOneRow) {
  const std::vector<ParameterSpec> row{matrix("row", 1, 9)};
  const NorMuonConfig config;
  expect_same(config, static_cast<const MuonConfig&>(config), 1e-6, 4, row);
}

TEST(NorMuon, TheLongerSideTurnsWithTheMatrix) {
  const auto config = changed(NorMuonConfig{}, [](auto& c) {
    kSvd(c);
    c.scale = MuonScale::none;
    c.axis = NormAxis::longer;
  });
  const auto grads = random_grads(24, 10, 3);
  const auto turned = mapped(grads, [](const at::Tensor& g) { return g.t(); });
  EXPECT_LT(relative_error(direction(config, turned), direction(config, grads).t()), 1e-5);
  // rows of a wide matrix are another statistic
  const auto rows = changed(config, [](auto& c) { c.axis = NormAxis::rows; });
  EXPECT_GT(relative_error(direction(rows, turned), direction(config, turned)), 1e-2);
}

TEST(AdaMuon, HasTheRootMeanSquareOfAnAdamUpdate) {
  for (const bool sign : {true, false}) {
    const auto config = changed(AdaMuonConfig{}, [&](auto& c) { c.sign = sign; });
    for (const auto& [rows, cols] : {std::pair{24, 10}, {10, 24}, {16, 16}}) {
      const at::Tensor d = direction(config, random_grads(rows, cols, 3));
      EXPECT_NEAR(d.norm().item<double>(), 0.2 * std::sqrt(rows * cols), 1e-4);
    }
  }
}

TEST(AdaMuon, WithoutAverageAndEpsilonEveryEntryHasOneSize) {
  const auto config = changed(AdaMuonConfig{}, [](auto& c) {
    c.beta2 = 0.0;
    c.eps = 0.0;
  });
  const at::Tensor d = direction(config, random_grads(12, 20, 2));
  EXPECT_LT((d.abs() - 0.2).abs().max().item<double>(), 1e-4);
}

TEST(Lion, WithEqualBetasIsSignSgd) {
  expect_same(changed(LionConfig{},
                      [](auto& c) {
                        c.lr = 1e-3;
                        c.betas = {0.9, 0.9};
                      }),
              changed(SignSgdConfig{}, [](auto& c) { c.momentum = 0.9; }), 0.0);
}

TEST(Dion2, OfAllRowsIsMuon) {
  for (const bool normalize : {false, true}) {
    const auto dion = changed(Dion2Config{}, [&](auto& c) {
      c.fraction = 1.0;
      c.normalize = normalize;
      c.orthogonalizer = Orthogonalizer::keller;
      c.decay = 0.1;
    });
    const auto as_muon = [&](auto config) {
      config.lr = dion.lr;
      config.scale = dion.scale;
      config.decay = dion.decay;
      config.nesterov = false;
      config.momentum_form = MomentumForm::sum;
      return config;
    };
    const auto muon = as_muon(MuonConfig{});
    auto normuon = as_muon(NorMuonConfig{});
    // The statistic is of the shorter side: rows of a wide or square matrix.
    const std::vector<ParameterSpec> wide{matrix("wide", 10, 24), matrix("square", 16, 16)};
    if (normalize) {
      expect_same(dion, normuon, 1e-6, 4, wide);
    } else {
      expect_same(dion, muon, 1e-6);
    }
  }
}

TEST(Dion2, TouchesOnlyTheChosenRowsAndRemembersTheRest) {
  Trial trial({matrix("w", 8, 20, Role::ffn_in)}, Dion2Config{});
  trial.fill(2);
  const at::Tensor before = trial.value("w").clone();
  trial.optimizer.step(1, 10);
  const at::Tensor moved = (trial.value("w") - before).abs().sum(1) > 0;
  EXPECT_EQ(moved.sum().item<int64_t>(), 2);  // a quarter of 8
  const at::Tensor sums = trial.grad("w").abs().sum(1);
  EXPECT_GE(sums.masked_select(moved).min().item<float>(),
            sums.masked_select(moved.logical_not()).max().item<float>());
  const at::Tensor kept = at::where(moved.unsqueeze(1), trial.grad("w") * 0.95, trial.grad("w"));
  EXPECT_LT(relative_error(trial.state("w/momentum"), kept), 1e-6);
}

TEST(Scion, OfMatricesInLayersIsMuonOfTheSameScale) {
  const auto scion = changed(ScionConfig{}, [](auto& c) {
    c.lr = 0.01;
    c.radius = 2.0;
    c.decay = 0.0;
  });
  const auto muon = changed(MuonConfig{}, [](auto& c) {
    c.lr = 0.02;
    c.momentum = 0.9;
    c.momentum_form = MomentumForm::average;
    c.scale = MuonScale::ratio;
  });
  expect_same(scion, muon, 1e-6);
}

TEST(Scion, TheGeometryFollowsTheRole) {
  RunConfig run = run_with(changed(ScionConfig{}, [](auto& c) { c.decay = 0.0; }));
  const std::vector<ParameterSpec> specs{{"embed", Role::embed, -1, {11, 6}},
                                         {"head", Role::head, -1, {11, 6}}};
  for (const bool tied : {false, true}) {
    run.model.tied = tied;
    Trial trial(specs, run);
    trial.fill(4);
    const at::Tensor embed = trial.value("embed").clone(), head = trial.value("head").clone();
    trial.optimizer.step(1, 10);
    const double lr = ScionConfig{}.lr;
    const at::Tensor e = (embed - trial.value("embed")) / lr, h = (head - trial.value("head")) / lr;
    EXPECT_LT((h.abs() - 3000.0 / 6).abs().max().item<float>(), 0.5);
    if (tied) {
      EXPECT_LT((e.abs() - 3000.0 / 6).abs().max().item<float>(), 0.5);
    } else {
      EXPECT_LT((e.square().mean(1).sqrt() - 50.0).abs().max().item<float>(), 0.05);
    }
  }
}

TEST(Soap, TurnsWithRotationsOfBothSides) {
  const at::Tensor p = random_rotation(16, 1), q = random_rotation(16, 2);
  const auto grads = random_grads(16, 16, 3);
  const auto turned = mapped(grads, [&](const at::Tensor& g) { return at::mm(at::mm(p, g), q); });
  for (const bool kl : {false, true}) {
    for (const bool polar : {false, true}) {
      const auto config = changed(SoapConfig{}, [&](auto& c) {
        c.kl = kl;
        c.polar = polar;
        c.basis_every = 1;
        if (polar) kSvd(c);
      });
      const at::Tensor expected = at::mm(at::mm(p, direction(config, grads)), q);
      EXPECT_LT(relative_error(direction(config, turned), expected), 5e-3) << kl << polar;
    }
  }
  EXPECT_GT(relative_error(direction(AdamWConfig{}, turned),
                           at::mm(at::mm(p, direction(AdamWConfig{}, grads)), q)),
            0.1);
}

TEST(Soap, InItsOwnBasisIsAdamAStepLater) {
  const auto soap = changed(SoapConfig{}, [](auto& c) {
    c.max_side = 1;
    c.betas = {0.9, 0.95};
  });
  const auto adam = changed(AdamWConfig{}, [](auto& c) { c.betas = {0.9, 0.95}; });
  const auto grads = random_grads(12, 20, 4);
  const std::vector<at::Tensor> later(grads.begin() + 1, grads.end());
  EXPECT_LT(relative_error(direction(soap, grads), direction(adam, later)), 1e-4);
  EXPECT_EQ(direction(soap, {grads[0]}).abs().max().item<double>(), 0.0);
}

TEST(Soap, BasesStayOrthogonal) {
  Trial trial({matrix("w", 12, 20, Role::ffn_in)},
              changed(SoapConfig{}, [](auto& c) { c.basis_every = 3; }));
  trial.fill(5);
  for (int64_t step = 1; step <= 40; ++step) {
    trial.fill_grads(static_cast<uint64_t>(step));
    trial.optimizer.step(step, 40);
  }
  for (const char* side : {"left", "right"}) {
    const at::Tensor q = trial.state(base::str("w/", side, "_basis"));
    EXPECT_LT((at::mm(q.t(), q) - at::eye(q.size(0))).abs().max().item<float>(), 1e-5);
  }
}

TEST(Ember, IsAdamWithoutMomentumWhereSquaresAreAProduct) {
  const auto ember = changed(EmberConfig{}, [](auto& c) { c.beta2 = 0.95; });
  const auto adam = changed(AdamWConfig{}, [](auto& c) { c.betas = {0.0, 0.95}; });
  at::manual_seed(1);
  const at::Tensor rows = at::rand({20, 1}, at::kDouble) + 0.1,
                   cols = at::rand({1, 6}, at::kDouble);
  const auto grads =
      mapped(random_grads(20, 6, 4), [&](const at::Tensor& g) { return g.sign() * rows * cols; });
  EXPECT_LT(relative_error(direction(ember, grads), direction(adam, grads)), 1e-4);
}

}  // namespace
}  // namespace muonlab::optim
