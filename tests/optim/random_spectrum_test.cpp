// The Kaon control: Muon's singular vectors, other singular values.
#include "optim/random_spectrum.hpp"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "optim/trial.hpp"

namespace muonlab::optim {
namespace {

config::MuonConfig with_svd(config::UpdateSpectrum spectrum, bool per_head = false) {
  config::MuonConfig muon;
  muon.lr = 1.0;
  muon.orthogonalizer = config::Orthogonalizer::svd;
  muon.spectrum = spectrum;
  muon.per_head = per_head;
  return muon;
}

// The first update of each parameter, in double.
std::map<std::string, at::Tensor> updates(const config::MuonConfig& muon, int64_t seed,
                                          int64_t step = 1) {
  config::RunConfig run = run_with(muon);
  run.seed = seed;
  run.model.head_dim = 4;
  Trial trial(
      {matrix("wide", 8, 20), matrix("tall", 24, 12, Role::o), matrix("twin", 8, 20, Role::v, 1)},
      run);
  trial.fill(3);
  for (const tensor::Parameter& p : trial.arena.parameters()) p.value.detach().zero_();
  trial.optimizer.step(step, 100);
  std::map<std::string, at::Tensor> result;
  for (const char* name : {"wide", "tall", "twin"})
    result[name] = -trial.value(name).to(at::kDouble);
  return result;
}

TEST(RandomSpectrum, KeepsTheSingularVectorsAndTheNorm) {
  const auto flat = updates(with_svd(config::UpdateSpectrum::flat), 5);
  const auto random = updates(with_svd(config::UpdateSpectrum::random), 5);
  for (const auto& [name, polar] : flat) {
    const at::Tensor& update = random.at(name);
    // With polar U Vᵀ and update U R Vᵀ: update polarᵀ = U R Uᵀ is symmetric and has the drawn
    // eigenvalues.
    const at::Tensor factor =
        polar.size(0) <= polar.size(1) ? at::mm(update, polar.t()) : at::mm(update.t(), polar);
    EXPECT_LT((factor - factor.t()).norm().item<double>(), 1e-5) << name;
    std::vector<double> drawn = random_singular_values(5, name + "/0", 1, factor.size(0));
    std::sort(drawn.begin(), drawn.end());
    const at::Tensor found = at::linalg_eigvalsh(factor);
    for (size_t i = 0; i < drawn.size(); ++i) {
      EXPECT_NEAR(found[static_cast<int64_t>(i)].item<double>(), drawn[i], 1e-5) << name;
    }
    EXPECT_NEAR(update.norm().item<double>(), polar.norm().item<double>(), 1e-5);
    EXPECT_GT(drawn.back() / std::max(drawn.front(), 1e-9), 2.0) << "not flat";
  }
}

TEST(RandomSpectrum, ItsVectorsAreThoseOfTheGradient) {
  const auto random = updates(with_svd(config::UpdateSpectrum::random), 5);
  Trial trial(
      {matrix("wide", 8, 20), matrix("tall", 24, 12, Role::o), matrix("twin", 8, 20, Role::v, 1)},
      run_with(with_svd(config::UpdateSpectrum::flat)));
  trial.fill(3);
  for (const auto& [name, update] : random) {
    const at::Tensor g = trial.grad(name).to(at::kDouble);
    // Uᵀ update V is diagonal.
    const auto [u, s, vh] = at::linalg_svd(g, false);
    const at::Tensor core = at::mm(at::mm(u.t(), update), vh.t());
    EXPECT_LT((core - at::diag(at::diagonal(core))).norm().item<double>(), 1e-5) << name;
  }
}

TEST(RandomSpectrum, IsAFunctionOfSeedStepAndParameter) {
  const auto random = config::UpdateSpectrum::random;
  const auto once = updates(with_svd(random), 5), again = updates(with_svd(random), 5);
  EXPECT_TRUE(identical(once.at("wide"), again.at("wide")));
  EXPECT_GT(relative_error(once.at("wide"), updates(with_svd(random), 6).at("wide")), 0.05);
  EXPECT_GT(relative_error(once.at("wide"), updates(with_svd(random), 5, 2).at("wide")), 0.05);
  EXPECT_NE(random_singular_values(5, "wide/0", 1, 8), random_singular_values(5, "twin/0", 1, 8));
  EXPECT_NE(random_singular_values(5, "wide/0", 1, 8), random_singular_values(5, "wide/1", 1, 8));
  EXPECT_GT(relative_error(once.at("wide"), updates(with_svd(random, true), 5).at("wide")), 0.05)
      << "heads apart";
}

TEST(RandomSpectrum, ComesToMeanSquareOne) {
  for (int64_t s : {1, 2, 7, 64}) {
    double squares = 0;
    for (double value : random_singular_values(1, "p/0", 9, s)) {
      EXPECT_GE(value, 0.0);
      squares += value * value;
    }
    EXPECT_NEAR(squares, static_cast<double>(s), 1e-12);
  }
}

}  // namespace
}  // namespace muonlab::optim
