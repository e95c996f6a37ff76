// The values of arXiv 2509.26030's setting, K = 999: computed for this project and checked in two
// ways, by the two-class reduction and by matrices.
#include <cmath>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "muonlab/theory/directions.hpp"
#include "muonlab/theory/matrices.hpp"
#include "theory/memory_law.hpp"
#include "theory/memory_model.hpp"

namespace muonlab::theory {
namespace {

const TwoClasses kPaper(999, 198, 0.8);

// To three digits.
void expect_near(double value, double expected, const std::string& what) {
  EXPECT_NEAR(value, expected, 5.01e-3 * std::abs(expected)) << what;
}

TEST(Memory, OneStepImbalanceAtAGivenLoss) {
  struct Row {
    double loss, gd, muon;
  };
  for (const Row& row :
       {Row{5, 9.31e-3, 8.98e-6}, Row{3, 0.1212, 1.31e-4}, Row{2, 0.4155, 4.15e-4},
        Row{1, 0.9933, 1.04e-3}, Row{0.5, 0.9179, 1.23e-3}, Row{0.2, 0.6321, 8.78e-4},
        Row{0.1, 0.3935, 5.55e-4}, Row{0.05, 0.2212, 3.22e-4}, Row{0.01, 0.0488, 7.98e-5}}) {
    const auto at_loss = [&](MemoryRule rule) {
      const TwoClassMatrix unit = one_step_logits(kPaper, rule);
      return kPaper.imbalance(scaled(unit, step_for_loss(kPaper, unit, row.loss)));
    };
    expect_near(at_loss(MemoryRule::gd), row.gd, "GD at " + std::to_string(row.loss));
    expect_near(at_loss(MemoryRule::muon), row.muon, "Muon at " + std::to_string(row.loss));
    EXPECT_LT(at_loss(MemoryRule::sign), 1e-12);
  }
}

TEST(Memory, MuonsFirstStepHasThePublishedCoefficients) {
  const TwoClassMatrix unit = one_step_logits(kPaper, MemoryRule::muon);
  EXPECT_NEAR(unit.own[0], .99947, 5e-6);
  EXPECT_NEAR(unit.same[0], -.00053, 5e-6);
  EXPECT_NEAR(unit.other[0], -.001117, 1e-6);
  EXPECT_NEAR(unit.own[1], .998769, 1e-6);
  EXPECT_NEAR(unit.same[1], -.001231, 1e-6);
  EXPECT_NEAR(unit.other[1], -.000069, 1e-6);
}

TEST(Memory, OneStepOfCoupledSignGd) {
  struct Row {
    double step, loss, imbalance;
  };
  for (const Row& row : {Row{0.5, 5.818, 1.76e-3}, Row{1, 4.746, 1.07e-2}, Row{2, 2.733, 0.169},
                         Row{3, 1.317, 0.653}, Row{4, 0.665, 0.640}, Row{5, 0.407, 0.621},
                         Row{10, 0.291, 0.582}, Row{20, 0.269, 0.554}, Row{100, 0.350, 0.650}}) {
    const auto p = coupled_sign_probability(999, row.step);
    double loss = 0;
    for (double value : p) loss -= std::log(value) / 3;
    expect_near(loss, row.loss, "loss at " + std::to_string(row.step));
    expect_near(*std::max_element(p.begin(), p.end()) - *std::min_element(p.begin(), p.end()),
                row.imbalance, "imbalance at " + std::to_string(row.step));
  }
  EXPECT_NEAR(coupled_sign_floor(999).loss, 0.267, 5e-4);
  EXPECT_NEAR(coupled_sign_floor(999).step, 24.6, 0.5);
}

TEST(Memory, TheSignsMatrixHasThePublishedSingularValues) {
  const at::Tensor s = at::linalg_svdvals(coupled_sign().a);
  EXPECT_NEAR(s[0].item<double>(), 4.49396, 5e-6);
  EXPECT_NEAR(s[1].item<double>(), 1.60388, 5e-6);
  EXPECT_NEAR(s[2].item<double>(), 1.10992, 5e-6);
}

// What five iterations with Keller's coefficients make of the first gradient, of the frequent and
// of the rare class.
TEST(Memory, KellersIterationsFavourTheRareClass) {
  const MemoryModel model(two_classes(999, 198, 0.8), MemoryEmbedding::decoupled);
  const at::Tensor gradient = model.gradient(at::zeros({999, 999}, at::kDouble));
  const double norm = gradient.norm().item<double>();
  EXPECT_NEAR((gradient[0][1] - gradient[0][0]).item<double>() / norm, .0706, 5e-5);
  EXPECT_NEAR((gradient[998][997] - gradient[998][998]).item<double>() / norm, .00436, 5e-6);
  const at::Tensor x = -newton_schulz(gradient, config::Orthogonalizer::keller);
  EXPECT_NEAR((x[0][0] - x[0][1]).item<double>(), 1.130, 5e-4);
  EXPECT_NEAR((x[998][998] - x[998][997]).item<double>(), 1.198, 5e-4);
}

struct Point {
  int step;
  double loss, imbalance;
};

void expect_path(MemoryRule rule, double step, const std::vector<Point>& points) {
  TwoClassMatrix logits;
  size_t next = 0;
  for (int t = 1; next < points.size(); ++t) {
    logits = stepped(logits, step, direction(kPaper, rule, logits));
    if (t != points[next].step) continue;
    const std::string what = std::string(rule_name(rule)) + " at step " + std::to_string(t);
    expect_near(kPaper.loss(logits), points[next].loss, what);
    EXPECT_NEAR(kPaper.imbalance(logits), points[next].imbalance, 0.03 * points[next].imbalance)
        << what;
    ++next;
  }
}

TEST(Memory, PathsOfManySteps) {
  expect_path(MemoryRule::gd, 200,
              {{10, 1.746, .558},
               {50, .911, .957},
               {100, .443, .871},
               {200, .0776, .297},
               {1000, .0060, .0234}});
  expect_path(MemoryRule::muon, 0.5,
              {{4, 4.913, 1.0e-5},
               {10, 2.043, 4.0e-4},
               {14, .646, 1.23e-3},
               {18, .116, 6.2e-4},
               {24, .0061, 5.1e-5}});
}

TEST(Memory, PathOfCoupledSignGd) {
  const MemoryModel model(two_classes(999, 198, 0.8), MemoryEmbedding::coupled);
  at::Tensor weights = at::zeros({999, 999}, at::kDouble);
  const std::vector<Point> points{{10, 4.746, .0107}, {20, 2.723, .147}, {25, 1.861, .314},
                                  {30, 1.129, .331},  {40, .267, .149},  {50, .0451, .042}};
  size_t next = 0;
  for (int t = 1; next < points.size(); ++t) {
    weights -= 0.1 * sign_of(model.gradient(model.logits(weights)));
    if (t != points[next].step) continue;
    const MemoryModel::Measure measure = model.measure(model.logits(weights));
    EXPECT_NEAR(measure.loss, points[next].loss, 5.01e-3 * points[next].loss) << t;
    EXPECT_NEAR(measure.imbalance, points[next].imbalance, 0.012 * points[next].imbalance) << t;
    ++next;
  }
}

// Three rules, both embeddings, matrices against the reduction.
TEST(Memory, MatricesFollowTheTwoClassReduction) {
  const int64_t facts = 60;
  const TwoClasses classes(60, 12, 0.8);
  for (const MemoryEmbedding embedding : {MemoryEmbedding::decoupled, MemoryEmbedding::coupled}) {
    const MemoryModel model(two_classes(facts, 12, 0.8), embedding);
    for (const auto& [rule, step] :
         {std::pair{MemoryRule::gd, 8.0}, std::pair{MemoryRule::muon, 0.5},
          std::pair{MemoryRule::sign, 0.2}}) {
      // The sign depends on the embedding.
      if (rule == MemoryRule::sign && embedding == MemoryEmbedding::coupled) continue;
      at::Tensor weights = at::zeros({facts, facts}, at::kDouble);
      TwoClassMatrix logits;
      for (int t = 0; t < 20; ++t) {
        const at::Tensor gradient = model.gradient(model.logits(weights));
        weights = weights - step * (rule == MemoryRule::gd     ? gradient
                                    : rule == MemoryRule::muon ? polar(gradient)
                                                               : sign_of(gradient));
        logits = stepped(logits, step, direction(classes, rule, logits));
        const MemoryModel::Measure measure = model.measure(model.logits(weights));
        EXPECT_NEAR(measure.loss, classes.loss(logits), 1e-9) << rule_name(rule) << t;
        EXPECT_NEAR(measure.imbalance, classes.imbalance(logits), 1e-9) << rule_name(rule) << t;
      }
    }
  }
}

// GD: the worst fact's probability falls like K^(r - 1), r = alpha^-1 (1 - alpha) beta / (1 -
// beta).
TEST(Memory, TheWorstFactUnderGdFollowsTheTheorem) {
  const double r = 0.2 * 0.2 / (0.8 * 0.8);
  const double at_1e4 = worst_probability(TwoClasses(1e4, 2e3, 0.8), MemoryRule::gd, 0.1),
               at_1e6 = worst_probability(TwoClasses(1e6, 2e5, 0.8), MemoryRule::gd, 0.1);
  EXPECT_NEAR(std::log(at_1e6 / at_1e4) / std::log(100), r - 1, 2e-3);
}

}  // namespace
}  // namespace muonlab::theory
