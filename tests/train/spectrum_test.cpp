#include "muonlab/train/spectrum.hpp"

#include <cmath>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "support/golden.hpp"
#include "support/parameters.hpp"

namespace muonlab::train {
namespace {

Spectrum of(const at::Tensor& matrix) { return spectrum(singular_values(matrix)); }

TEST(Spectrum, OfTheIdentityIsFlat) {
  const Spectrum s = of(3.0 * at::eye(40));
  EXPECT_NEAR(s.entropy, 1.0, 1e-14);
  EXPECT_NEAR(s.effective_rank, 40.0, 1e-11);
  EXPECT_NEAR(s.effective_rank_plain, 40.0, 1e-11);
  EXPECT_NEAR(s.top10_energy, 10.0 / 40.0, 1e-14);
  EXPECT_NEAR(s.q75_q25, 1.0, 1e-14);
  EXPECT_NEAR(s.stable_rank, 40.0, 1e-11);
  EXPECT_NEAR(s.nuclear_rank, 40.0, 1e-11);
  EXPECT_NEAR(s.condition, 1.0, 1e-14);
}

TEST(Spectrum, OfRankOneHasNoWidth) {
  const Spectrum s = of(at::ones({12, 30}));
  EXPECT_EQ(s.entropy, 0.0);
  EXPECT_EQ(s.effective_rank, 1.0);
  EXPECT_EQ(s.effective_rank_plain, 1.0);
  EXPECT_EQ(s.top10_energy, 1.0);
  EXPECT_EQ(s.stable_rank, 1.0);
  EXPECT_EQ(s.nuclear_rank, 1.0);
  EXPECT_TRUE(std::isnan(s.q75_q25));
  EXPECT_TRUE(std::isnan(s.condition));
}

TEST(Spectrum, OfFourKnownValues) {
  // Energies 16, 4, 4, 1 of 25; values 4, 2, 2, 1 of 9.
  const Spectrum s = spectrum(std::vector<double>{4, 2, 2, 1});
  const double entropy =
      -(0.64 * std::log(0.64) + 2 * 0.16 * std::log(0.16) + 0.04 * std::log(0.04));
  EXPECT_NEAR(s.entropy, entropy / std::log(4.0), 1e-15);
  EXPECT_NEAR(s.effective_rank, std::exp(entropy), 1e-14);
  EXPECT_NEAR(s.effective_rank_plain,
              std::exp(-(4.0 / 9 * std::log(4.0 / 9) + 4.0 / 9 * std::log(2.0 / 9) +
                         1.0 / 9 * std::log(1.0 / 9))),
              1e-14);
  EXPECT_NEAR(s.q75_q25, (4 + 0.25 * 12) / (1 + 0.75 * 3), 1e-15);
  EXPECT_NEAR(s.stable_rank, 25.0 / 16, 1e-15);
  EXPECT_NEAR(s.nuclear_rank, 81.0 / 25, 1e-15);
  EXPECT_EQ(s.condition, 4.0);
}

TEST(Spectrum, DoesNotDependOnScaleOrTransposition) {
  const at::Tensor x = support::normal({20, 50}, 1);
  const Spectrum s = of(x);
  for (const at::Tensor& y : {x.t() * 1.0, x.to(at::kDouble) * 1e-30, x.to(at::kDouble) * 1e200}) {
    const Spectrum t = of(y);
    EXPECT_NEAR(t.entropy, s.entropy, 1e-13);
    EXPECT_NEAR(t.nuclear_rank, s.nuclear_rank, 1e-11);
    EXPECT_NEAR(t.condition, s.condition, 1e-11);
  }
}

TEST(Spectrum, OfZerosIsUndefined) {
  const Spectrum s = of(at::zeros({4, 6}));
  for (double value : {s.entropy, s.effective_rank, s.effective_rank_plain, s.top10_energy,
                       s.q75_q25, s.stable_rank, s.nuclear_rank, s.condition}) {
    EXPECT_TRUE(std::isnan(value));
  }
}

// Written by scripts/check_spectra.py with NumPy in double.
TEST(Spectrum, AgreesWithNumPy) {
  const support::Golden golden =
      support::read_golden(MUONLAB_SOURCE_DIR "/tests/golden/spectra.safetensors");
  int count = 0;
  for (const auto& [name, matrix] : golden.tensors) {
    if (!name.starts_with("matrix.")) continue;
    ++count;
    const Spectrum s = of(matrix);
    const at::Tensor expected = golden.tensors.at("expected." + name.substr(7));
    const std::vector<double> ours{s.entropy,      s.effective_rank, s.effective_rank_plain,
                                   s.top10_energy, s.q75_q25,        s.stable_rank,
                                   s.nuclear_rank, s.condition,      root_mean_square(matrix)};
    ASSERT_EQ(expected.numel(), static_cast<int64_t>(ours.size()));
    for (size_t i = 0; i < ours.size(); ++i) {
      const double want = expected.const_data_ptr<double>()[i];
      EXPECT_NEAR(ours[i], want, 1e-9 * std::abs(want)) << name << " " << i;
    }
  }
  EXPECT_EQ(count, 4);
}

}  // namespace
}  // namespace muonlab::train
