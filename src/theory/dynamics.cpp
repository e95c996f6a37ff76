#include "muonlab/theory/dynamics.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include <ATen/ATen.h>

#include "dynamics_parts.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/theory/directions.hpp"
#include "muonlab/theory/extreme.hpp"
#include "muonlab/theory/fit.hpp"
#include "muonlab/theory/matrices.hpp"

namespace muonlab::theory {
namespace {

constexpr int64_t kMatrixFacts = 128, kMatrixGroups = 8;  // of the random embeddings
constexpr double kReached = 0.01;                         // the loss that steps are counted to

// Where a path first is at or below a loss, in steps, interpolated in the loss's logarithm.
double steps_to(const std::vector<double>& losses, double loss) {
  for (size_t i = 1; i < losses.size(); ++i) {
    if (losses[i] > loss) continue;
    const double before = std::log(losses[i - 1]), after = std::log(losses[i]);
    return static_cast<double>(i) - (std::log(loss) - after) / (before - after);
  }
  return std::numeric_limits<double>::quiet_NaN();
}

constexpr double kMostRecursions = 5e9;  // of a fact's logit gap: some two minutes
constexpr double kMostSteps = 1e5;       // of a path that is drawn

// The recursions of GD's curves without noise.
double gd_recursions(const DynamicsConfig& config, double exponent) {
  double sum = 0;
  for (const int64_t m : config.groups) {
    sum += static_cast<double>(m) * kDecadesBeyond *
           steps_to_learn(m, exponent, static_cast<double>(config.facts));
  }
  return sum;
}

// Settings with which the experiment would take hours.
void check_work(const DynamicsConfig& config, const config::Fail& fail) {
  if (gd_recursions(config, config.group_exponent) > kMostRecursions) {
    double most = config.group_exponent;
    while (most > 0 && gd_recursions(config, most) > kMostRecursions) most -= 0.01;
    fail("group_exponent",
         base::str(base::exact(config.group_exponent),
                   " makes the rarest group so rare that GD "
                   "takes ",
                   base::significant(gd_recursions(config, config.group_exponent), 2),
                   " steps of single facts to learn it; at most ",
                   base::significant(kMostRecursions, 2), " are followed. With these groups ",
                   base::fixed(std::max(most, 0.0), 2), " is the largest exponent"));
  }
  const double steps = std::log(static_cast<double>(config.facts) / kSmallLoss);
  if (steps / config.muon_step > kMostSteps) {
    fail("muon_step", base::str(base::exact(config.muon_step), " takes more than ", kMostSteps,
                                " steps to a loss of ", kSmallLoss, "; choose at least ",
                                base::scientific(1.1 * steps / kMostSteps, 1)));
  }
  const double way =
      GapLaw(static_cast<double>(config.facts), config.noise).optimum() * 2 * kLargestRefinement;
  if (way / config.noisy_step > kMostSteps) {
    fail("noisy_step", base::str(base::exact(config.noisy_step), " takes more than ", kMostSteps,
                                 " steps through both phases at a quarter of it; choose at least ",
                                 base::scientific(1.1 * way / kMostSteps, 1)));
  }
  const double each =
      static_cast<double>(config.times.back()) * static_cast<double>(config.exponents.size());
  if (static_cast<double>(config.law_facts) * each > kMostRecursions) {
    fail("law_facts",
         base::str(config.law_facts, " facts over ", config.times.back(), " steps take more than ",
                   base::significant(kMostRecursions, 2), " steps of single facts; choose at most ",
                   static_cast<int64_t>(kMostRecursions / each), " facts or fewer steps in times"));
  }
}

}  // namespace

void DynamicsConfig::check(const config::Fail& fail) const {
  if (groups.empty()) fail("groups", "is empty; write for example [4, 8, 16]");
  for (int64_t m : groups) {
    if (facts % m != 0)
      fail("groups", base::str(facts, " facts cannot be divided into ", m, " equal groups"));
  }
  if (exponents.empty()) fail("exponents", "is empty; write for example [1.5, 2, 3]");
  if (times.size() < 3) fail("times", "has fewer than three numbers, too few for a fit");
  if (!std::ranges::is_sorted(times) || std::ranges::adjacent_find(times) != times.end())
    fail("times", "is not ascending");
  check_work(*this, fail);
}

std::vector<double> muon_path(const GroupedMemory& memory, double step, int64_t steps,
                              Context& context, const std::string& what, double share) {
  std::vector<double> losses{memory.excess(memory.zero())};
  GroupMatrix logits = memory.zero();
  for (int64_t t = 0; t < steps; ++t) {
    context.progress(what, share);
    logits = logits.stepped(step, memory.polar(memory.gradient(logits)));
    losses.push_back(memory.excess(logits));
  }
  return losses;
}

void random_embeddings(const DynamicsConfig& config, Context& context, Result& result) {
  const std::vector<double> p = power_law(kMatrixGroups, config.group_exponent);
  const int64_t size = kMatrixFacts / kMatrixGroups;
  const at::Tensor keys = random_orthogonal(kMatrixFacts, config.seed, "keys"),
                   objects = random_orthogonal(kMatrixFacts, config.seed, "objects");
  const at::Tensor frequency = as_tensor(p).repeat_interleave(size) / static_cast<double>(size);
  const double eta = config.muon_step / 2;
  const auto steps = static_cast<int64_t>(
      1.5 * std::log(static_cast<double>(kMatrixFacts) / kReached) / (2 * eta));
  struct Rule {
    std::string name;
    int colour;
    double step;
    std::function<at::Tensor(const at::Tensor&)> direction;
    std::vector<double> losses{};
  };
  std::vector<Rule> rules{
      {"Muon, step 2η", 1, 2 * eta, [](const at::Tensor& g) { return polar(g); }},
      {"sign in the task's basis, step η", 3, eta,
       [&](const at::Tensor& g) { return sign_in_basis(g, objects, keys); }},
      {"SignGD, Frobenius norm of Muon's step", 0,
       2 * eta / std::sqrt(static_cast<double>(kMatrixFacts)), sign_of},
      {"normalized GD, Frobenius norm of Muon's step", 4,
       2 * eta * std::sqrt(static_cast<double>(kMatrixFacts)), normalized}};
  Table table{"random_embeddings",
              "loss with random orthogonal embeddings, without noise",
              {"rule", "step", "loss"}};
  const KeptTables kept(result, {&table});
  page::XyPlot plot{
      .title = "Random orthogonal embeddings, no noise",
      .note = base::str("K = ", kMatrixFacts, ", M = ", kMatrixGroups, ", whole matrices."),
      .x = {.name = "steps"},
      .y = {.name = "loss", .log = true},
      .series = {}};
  for (Rule& rule : rules) {
    at::Tensor weights = at::zeros({kMatrixFacts, kMatrixFacts}, at::kDouble);
    page::XySeries series{.label = rule.name, .x = {}, .y = {}, .colour = rule.colour};
    for (int64_t t = 0; t <= steps; ++t) {
      context.progress("random embeddings, " + rule.name, 0.9);
      const at::Tensor logits = objects.t().mm(weights).mm(keys);
      at::Tensor error = at::softmax(logits, 0);
      const at::Tensor log_p = logits.diagonal() - at::logsumexp(logits, 0);
      rule.losses.push_back(-frequency.dot(log_p).item<double>());
      error.diagonal().zero_();
      error.diagonal().copy_(-error.sum(0));
      weights = weights - rule.step * rule.direction(objects.mm(error * frequency).mm(keys.t()));
      table.rows.push_back({rule.name, static_cast<double>(t), rule.losses.back()});
      series.x.push_back(static_cast<double>(t));
      series.y.push_back(rule.losses.back());
    }
    plot.series.push_back(std::move(series));
  }
  result.claims.push_back(
      {.statement = base::str("The sign in the task's basis with step η is as fast as Muon with "
                              "step 2η (ratio of the steps to a loss of ",
                              kReached, ")."),
       .source = "theorem 6.3",
       .measured = steps_to(rules[1].losses, kReached) / steps_to(rules[0].losses, kReached),
       .predicted = 1,
       .accepted = within(1, 0.05)});
  const GroupedMemory memory(p, size, 0);
  const std::vector<double> exact =
      muon_path(memory, 2 * eta, steps, context, "random embeddings, reduction", 0.95);
  Largest deviation;
  for (size_t i = 0; i < exact.size(); ++i)
    deviation.add(std::abs(rules[0].losses[i] / exact[i] - 1));
  result.claims.push_back(
      {.statement = "Muon keeps the symmetry of the groups, whatever the orthonormal embeddings: "
                    "whole matrices give the loss of the reduction to groups (largest relative "
                    "difference).",
       .source = "theorem 6.1",
       .measured = deviation.value(),
       .accepted = at_most(1e-6)});
  result.tables.push_back(std::move(table));
  result.sections.push_back(
      {"embeddings",
       "Random embeddings",
       "Muon does not depend on the basis; SignGD does. In the task's own basis the sign is Muon.",
       {std::move(plot)}});
}

void run(const DynamicsConfig& config, Context& context, Result& result) {
  result.remarks = {
      "The full text of the paper's experiments could not be had. The statements are from notes on "
      "its theorems; the settings are ours.",
      "Paths of Muon are exact: by the symmetry of the groups the K × K polar factor reduces to an "
      "M × M one. GD is the exact scalar recursion of a fact's logit gap."};
  noiseless(config, context, result);
  two_phases(config, context, result);
  scaling_laws(config, context, result);
  random_embeddings(config, context, result);
}

}  // namespace muonlab::theory
