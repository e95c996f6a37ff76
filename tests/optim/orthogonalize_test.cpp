// Oracles that need no library: diagonal matrices against the scalar polynomial in double,
// constructed spectra, and the exact polar factor.
#include "muonlab/optim/orthogonalize.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include "muonlab/base/error.hpp"
#include "optim/newton_schulz.hpp"
#include "optim/panels.hpp"
#include "optim/trial.hpp"
#include "support/parameters.hpp"

namespace muonlab::optim {
namespace {

using config::Orthogonalizer;
using support::normal;

struct Set {
  std::string name;
  Orthogonalizer orthogonalizer;
  std::optional<int64_t> steps;
};

const std::vector<Set> kSets{
    {"keller", Orthogonalizer::keller, {}},
    {"keller_1", Orthogonalizer::keller, 1},
    {"keller_12", Orthogonalizer::keller, 12},
    {"you", Orthogonalizer::you, {}},
    {"polar_express", Orthogonalizer::polar_express, {}},
    {"polar_express_6", Orthogonalizer::polar_express, 6},
    {"polar_express_7", Orthogonalizer::polar_express, 7},
    {"polar_express_8", Orthogonalizer::polar_express, 8},
    {"exact", Orthogonalizer::exact, {}},
    {"quintic", Orthogonalizer::quintic, {}},
};

std::ostream& operator<<(std::ostream& out, const Set& set) { return out << set.name; }

// The composed polynomial of a singular value.
double gain(const Coefficients& coefficients, double s) {
  for (const Triple& t : coefficients.steps) s = s * (t.a + s * s * (t.b + s * s * t.c));
  return s;
}

struct Band {
  double low, high;
};

Band band(const Coefficients& coefficients, double from) {
  Band band{1e300, -1e300};
  for (double s = from; s <= 1.0; s *= 1.0002) {
    band.low = std::min(band.low, gain(coefficients, s));
    band.high = std::max(band.high, gain(coefficients, s));
  }
  return band;
}

double gain_at_zero(const Coefficients& coefficients) {
  double product = 1.0;
  for (const Triple& t : coefficients.steps) product *= t.a;
  return product;
}

at::Tensor random_orthogonal(int64_t rows, int64_t columns, uint64_t stream) {
  return std::get<0>(at::linalg_qr(normal({rows, columns}, stream, at::kDouble)));
}

// U diag(s) Vᵀ of shape [r, c] with the given singular values, in double.
at::Tensor with_spectrum(int64_t r, int64_t c, const std::vector<double>& s, uint64_t stream) {
  const auto k = static_cast<int64_t>(s.size());
  const at::Tensor spectrum = at::tensor(s, at::kDouble);
  return at::matmul(random_orthogonal(r, k, stream) * spectrum,
                    random_orthogonal(c, k, stream + 1).t());
}

std::vector<double> geometric(size_t count, double last) {
  std::vector<double> s;
  const auto steps = static_cast<double>(count - 1);
  for (size_t i = 0; i < count; ++i) s.push_back(std::pow(last, static_cast<double>(i) / steps));
  return s;
}

double norm_of(const std::vector<double>& s) {
  double sum = 0.0;
  for (double x : s) sum += x * x;
  return std::sqrt(sum);
}

at::Tensor polar_of(const at::Tensor& m, const Set& set, at::ScalarType type = at::kFloat) {
  return orthogonalize(m.to(at::kFloat).unsqueeze(0), set.orthogonalizer, set.steps, type)
      .squeeze(0);
}

class Sets : public testing::TestWithParam<Set> {
 protected:
  Coefficients coeffs() const { return coefficients(GetParam().orthogonalizer, GetParam().steps); }
};

TEST_P(Sets, DiagonalMatrixGivesTheScalarPolynomial) {
  const std::vector<double> s{1.0, 0.7, 0.31, 0.1, 0.03, 0.01, 1e-3};
  const at::Tensor result = polar_of(at::diag(at::tensor(s, at::kDouble)), GetParam());
  for (size_t i = 0; i < s.size(); ++i) {
    const double expected = gain(coeffs(), s[i] / (norm_of(s) * coeffs().norm_factor));
    const auto at = static_cast<int64_t>(i);
    EXPECT_NEAR(result[at][at].item<double>(), expected, 1e-5 * std::max(1.0, std::abs(expected)))
        << s[i];
  }
  EXPECT_LT((result - at::diag(result.diagonal())).abs().max().item<double>(), 1e-6);
}

TEST_P(Sets, ConstructedSpectraKeepTheirVectors) {
  for (const auto& [r, c] :
       std::vector<std::pair<int64_t, int64_t>>{{24, 24}, {20, 50}, {50, 20}}) {
    for (const double last : {1.0, 1e-2, 1e-3}) {
      const std::vector<double> s = geometric(static_cast<size_t>(std::min(r, c)), last);
      const at::Tensor m = with_spectrum(r, c, s, 10);
      std::vector<double> image;
      for (double x : s) image.push_back(gain(coeffs(), x / (norm_of(s) * coeffs().norm_factor)));
      const at::Tensor expected = with_spectrum(r, c, image, 10);
      const double rounding =
          2e-6 * static_cast<double>(std::max<size_t>(5, coeffs().steps.size()));
      EXPECT_LT(relative_error(polar_of(m, GetParam()), expected), rounding)
          << r << "x" << c << " " << last;
    }
  }
}

TEST_P(Sets, SurvivesTheLargestSingularValueInEveryType) {
  // Rank one: all of the norm in one direction, where rounding can push past 1.
  const at::Tensor m = at::outer(normal({96}, 1), normal({160}, 2));
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    if (GetParam().orthogonalizer == Orthogonalizer::exact && type == at::kBFloat16) continue;
    const at::Tensor s = at::linalg_svdvals(polar_of(m, GetParam(), type).to(at::kFloat));
    EXPECT_GT(s[0].item<double>(), 0.6) << type;
    EXPECT_LT(s[0].item<double>(), 1.25) << type;
  }
}

TEST_P(Sets, PanelsEqualPlainProducts) {
  if (!panels_available()) GTEST_SKIP() << "this processor uses the plain products";
  for (const auto& [s, l] : std::vector<std::pair<int64_t, int64_t>>{
           {1, 1}, {1, 7}, {7, 7}, {47, 49}, {48, 48}, {50, 97}, {96, 161}}) {
    const at::Tensor m = normal({3, s, l}, static_cast<uint64_t>(s * 1000 + l));
    const at::Tensor x =
        (m / at::linalg_vector_norm(m, 2, at::IntArrayRef{1, 2}, true)).contiguous();
    const at::Tensor exact = newton_schulz_plain(x.to(at::kDouble), coeffs());
    at::Tensor workspace, fp32 = x.clone();
    newton_schulz_panels(fp32, coeffs(), workspace);
    EXPECT_LT(relative_error(fp32, exact), 1e-5) << s << "x" << l;
    at::Tensor bf16 = x.to(at::kBFloat16);
    const double plain_error = relative_error(newton_schulz_plain(bf16, coeffs()), exact);
    newton_schulz_panels(bf16, coeffs(), workspace);
    EXPECT_LT(relative_error(bf16, exact), 1.5 * plain_error + 0.01) << s << "x" << l;
  }
}

TEST_P(Sets, SameBytesForAnyBatchAndThreads) {
  const at::Tensor m = normal({5, 50, 100}, 3);
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    std::vector<at::Tensor> results;
    for (const int threads : {1, 2, 7}) {
      at::set_num_threads(threads);
      if (panels_available()) {
        const auto polar = [&](const at::Tensor& x) {
          return orthogonalize(x, GetParam().orthogonalizer, GetParam().steps, type);
        };
        results.push_back(polar(m));
        results.push_back(at::cat({polar(m.narrow(0, 0, 2)), polar(m.narrow(0, 2, 3))}));
      } else {  // the library's products may depend on the threads, not on the call
        for (int i = 0; i < 2; ++i) {
          const at::Tensor result =
              orthogonalize(m, GetParam().orthogonalizer, GetParam().steps, type);
          if (i == 0) results.assign({result});
          EXPECT_TRUE(identical(result, results[0]));
        }
      }
    }
    for (const at::Tensor& result : results) EXPECT_TRUE(identical(result, results[0]));
  }
}

INSTANTIATE_TEST_SUITE_P(All, Sets, testing::ValuesIn(kSets),
                         [](const auto& info) { return info.param.name; });

// reference: muon.md, table 2.1.
TEST(Coefficients, PublishedGainsAndBands) {
  const auto check = [](const Coefficients& c, double gain0, Band from_milli, Band from_centi) {
    EXPECT_NEAR(gain_at_zero(c), gain0, 0.001 * gain0);
    EXPECT_NEAR(band(c, 1e-3).low, from_milli.low, 6e-4);
    EXPECT_NEAR(band(c, 1e-3).high, from_milli.high, 6e-4);
    EXPECT_NEAR(band(c, 1e-2).low, from_centi.low, 6e-4);
    EXPECT_NEAR(band(c, 1e-2).high, from_centi.high, 6e-4);
  };
  check(coefficients(Orthogonalizer::keller, {}), 485, {.471, 1.202}, {.682, 1.134});
  check(coefficients(Orthogonalizer::you, {}), 493, {.475, 1.145}, {.978, 1.032});
  check(coefficients(Orthogonalizer::polar_express, {}), 990, {.859, 1.141}, {.859, 1.141});
  check(coefficients(Orthogonalizer::exact, {}), 79263, {1.000, 1.001}, {1.000, 1.001});
  const Coefficients six = coefficients(Orthogonalizer::keller, 6);
  EXPECT_NEAR(gain_at_zero(six), 1670, 2);
  EXPECT_NEAR(band(six, 1e-3).low, .682, 6e-4);
}

TEST(Coefficients, PolarExpressConvergesFromItsLowerBound) {
  for (const int64_t steps : {6, 7, 8}) {
    const Band b = band(coefficients(Orthogonalizer::polar_express, steps), 1e-3);
    EXPECT_GT(b.low, steps == 6 ? 0.985 : 0.99) << steps;
    EXPECT_LT(b.high, 1.01) << steps;
  }
}

TEST(Coefficients, EverySetIsStableAboveOne) {
  for (const Set& set : kSets) {
    const Coefficients c = coefficients(set.orthogonalizer, set.steps);
    for (double s = 1.0; s <= 1.0101; s += 1e-4) {  // what bf16 can add to a normalized matrix
      EXPECT_LT(std::abs(gain(c, s / c.norm_factor)), 1.25) << set.name << " at " << s;
    }
  }
}

std::string message(Orthogonalizer orthogonalizer, std::optional<int64_t> steps) {
  try {
    coefficients(orthogonalizer, steps);
  } catch (const base::Error& e) {
    return e.what();
  }
  return "";
}

TEST(Coefficients, RefusesStepsASetDoesNotHave) {
  EXPECT_EQ(message(Orthogonalizer::you, 6), "muon: you takes 5 steps, not 6; leave \"steps\" out");
  EXPECT_EQ(message(Orthogonalizer::polar_express, 4),
            "muon: polar_express takes 5 to 8 steps, not 4");
  EXPECT_EQ(message(Orthogonalizer::polar_express, 9),
            "muon: polar_express takes 5 to 8 steps, not 9");
  EXPECT_EQ(message(Orthogonalizer::keller, 21), "muon: keller takes 1 to 20 steps, not 21");
  EXPECT_EQ(message(Orthogonalizer::exact, 5),
            "muon: exact takes 10 steps, not 5; leave \"steps\" out");
  EXPECT_EQ(message(Orthogonalizer::svd, 5), "muon: svd has no steps; leave \"steps\" out");
}

TEST(Coefficients, RefusesPairsOfSetAndTypeThatCannotBe) {
  using config::IterationType;
  EXPECT_THROW(iteration_type(Orthogonalizer::exact, IterationType::bf16, true), base::Error);
  EXPECT_THROW(iteration_type(Orthogonalizer::svd, IterationType::bf16, false), base::Error);
  EXPECT_EQ(iteration_type(Orthogonalizer::exact, IterationType::automatic, true), at::kFloat);
  EXPECT_EQ(iteration_type(Orthogonalizer::svd, IterationType::automatic, true), at::kDouble);
  EXPECT_EQ(iteration_type(Orthogonalizer::keller, IterationType::automatic, true), at::kBFloat16);
  EXPECT_EQ(iteration_type(Orthogonalizer::keller, IterationType::automatic, false), at::kFloat);
  EXPECT_EQ(iteration_type(Orthogonalizer::keller, IterationType::fp32, true), at::kFloat);
  EXPECT_EQ(iteration_type(Orthogonalizer::keller, IterationType::bf16, false), at::kBFloat16);
}

TEST(Svd, IsThePolarFactor) {
  const Set svd{"svd", Orthogonalizer::svd, {}};
  for (const auto& [r, c] :
       std::vector<std::pair<int64_t, int64_t>>{{20, 20}, {15, 40}, {40, 15}, {1, 9}, {9, 1}}) {
    const std::vector<double> s = r > 1 && c > 1
                                      ? geometric(static_cast<size_t>(std::min(r, c)), 1e-3)
                                      : std::vector<double>{1.0};
    const at::Tensor m = with_spectrum(r, c, s, 20);
    const at::Tensor polar = polar_of(m, svd).to(at::kDouble);
    EXPECT_LT(relative_error(polar, with_spectrum(r, c, std::vector<double>(s.size(), 1.0), 20)),
              1e-4);
    const at::Tensor small = r <= c ? at::matmul(polar, polar.t()) : at::matmul(polar.t(), polar);
    EXPECT_LT((small - at::eye(small.size(0), at::kDouble)).norm().item<double>(), 1e-6);
    // The dual of the spectral norm: <polar, M> is the nuclear norm.
    double nuclear = 0.0;
    for (double x : s) nuclear += x;
    EXPECT_NEAR((polar * m).sum().item<double>(), nuclear, 1e-5 * nuclear);
  }
}

TEST(Svd, DropsDirectionsThatAreZero) {
  const Set svd{"svd", Orthogonalizer::svd, {}};
  // rank 3, the rest is the rounding of fp32
  const at::Tensor m = with_spectrum(12, 30, {3.0, 1.0, 0.01}, 30);
  const at::Tensor polar = polar_of(m, svd);
  EXPECT_NEAR(polar.norm().item<double>(), std::sqrt(3.0), 1e-5);
  EXPECT_LT(relative_error(polar, with_spectrum(12, 30, {1.0, 1.0, 1.0}, 30)), 1e-4);
}

TEST(Svd, ExactAndLongPolarExpressAgreeWithIt) {
  const at::Tensor m = with_spectrum(32, 48, geometric(32, 0.02), 40);
  const at::Tensor polar = polar_of(m, {"svd", Orthogonalizer::svd, {}});
  EXPECT_LT(relative_error(polar_of(m, {"exact", Orthogonalizer::exact, {}}), polar), 1e-3);
  EXPECT_LT(relative_error(polar_of(m, {"pe", Orthogonalizer::polar_express, 8}), polar), 1e-3);
}

TEST(Orthogonalize, TakesAnyStridesAndLeavesItsInputAlone) {
  const at::Tensor wide = normal({4, 30, 50}, 50);
  for (const auto orthogonalizer : {Orthogonalizer::keller, Orthogonalizer::svd}) {
    const at::Tensor expected = orthogonalize(wide, orthogonalizer, {}, at::kFloat);
    const at::Tensor transposed = wide.transpose(1, 2), before = wide.clone();
    EXPECT_TRUE(identical(orthogonalize(transposed, orthogonalizer, {}, at::kFloat).transpose(1, 2),
                          expected));
    const at::Tensor padded = at::zeros({4, 30, 64});
    padded.narrow(2, 0, 50).copy_(wide);
    EXPECT_TRUE(identical(orthogonalize(padded.narrow(2, 0, 50), orthogonalizer, {}, at::kFloat),
                          expected));
    EXPECT_TRUE(identical(wide, before));
  }
  EXPECT_EQ(orthogonalize(wide, Orthogonalizer::keller, {}, at::kBFloat16).scalar_type(),
            at::kBFloat16);
}

TEST(Orthogonalize, ZeroGivesZero) {
  const at::Tensor m =
      at::cat({at::zeros({1, 8, 8}), normal({1, 8, 8}, 60), at::full({1, 8, 8}, 1e-33)});
  for (const auto orthogonalizer : {Orthogonalizer::keller, Orthogonalizer::svd}) {
    const at::Tensor polar = orthogonalize(m, orthogonalizer, {}, at::kFloat);
    EXPECT_EQ(polar[0].abs().max().item<float>(), 0.0f);
    EXPECT_EQ(polar[2].abs().max().item<float>(), 0.0f);
    EXPECT_GT(polar[1].norm().item<float>(), 1.0f);
  }
}

}  // namespace
}  // namespace muonlab::optim
