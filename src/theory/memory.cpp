#include "muonlab/theory/memory.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include "memory_parts.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/theory/directions.hpp"
#include "muonlab/theory/fit.hpp"
#include "muonlab/theory/matrices.hpp"

namespace muonlab::theory {

void MemoryConfig::check(const config::Fail& fail) const {
  if (head_facts > facts - 2) {
    fail("head_facts",
         base::str(head_facts, " of ", facts,
                   " facts leave fewer than two for the rare class; a fifth would be ",
                   std::max<int64_t>(2, facts / 15 * 3)));
  }
  const double share = static_cast<double>(head_facts) / static_cast<double>(facts);
  if (std::abs(head_mass - share) < 1e-9)
    fail("head_mass", "is the share of the facts too, so that no fact is more frequent");
  if (embeddings.empty()) fail("embeddings", "is empty; choices: decoupled coupled");
  if (std::set<std::string>(embeddings.begin(), embeddings.end()).size() < embeddings.size())
    fail("embeddings", "names one twice");
  for (const std::string& name : embeddings) {
    if (name != "decoupled" && name != "coupled")
      fail("embeddings", base::str("\"", name, "\" is no choice; choices: decoupled coupled"));
    if (name == "coupled" && facts % 3 != 0) {
      fail("facts",
           base::str(facts, " is not divisible by 3, which coupled embeddings need; choose ",
                     facts / 3 * 3, ", or leave coupled out of embeddings"));
    }
  }
  if (growth_facts.size() < 3)
    fail("growth_facts", "has fewer than three numbers, too few for a fit");
}

MemoryLab::MemoryLab(const MemoryConfig& settings)
    : config(settings),
      classes(static_cast<double>(settings.facts), static_cast<double>(settings.head_facts),
              settings.head_mass) {
  const std::vector<double> p = two_classes(config.facts, config.head_facts, config.head_mass);
  for (const std::string& name : config.embeddings) {
    models.push_back({name, MemoryModel(p, name == "coupled" ? MemoryEmbedding::coupled
                                                             : MemoryEmbedding::decoupled)});
  }
}

at::Tensor matrix_direction(MemoryRule rule, const at::Tensor& gradient) {
  switch (rule) {
    case MemoryRule::gd: return gradient;
    case MemoryRule::sign: return sign_of(gradient);
    case MemoryRule::muon: return polar(gradient);
  }
  throw base::Bug("a rule without a direction");
}

page::XySeries memory_series(MemoryRule rule, const std::string& embedding) {
  const bool coupled = embedding == "coupled";
  // GD 4 and 2, SignGD 0 and 3, Muon 1 and 5 of the page's colours.
  const int colour = rule == MemoryRule::gd     ? (coupled ? 2 : 4)
                     : rule == MemoryRule::sign ? (coupled ? 3 : 0)
                                                : (coupled ? 5 : 1);
  return {.label = base::str(rule_name(rule), ", ", embedding), .x = {}, .y = {}, .colour = colour};
}

void growth(const MemoryLab& lab, Context& context, Result& result) {
  context.progress("growth with the number of facts", 0.97);
  const double share = static_cast<double>(lab.config.head_facts) / lab.facts();
  const double mass = lab.config.head_mass, epsilon = lab.config.epsilon;
  Table table{"growth",
              "rho, the worst fact's probability at the smallest step that brings some fact to 1 - "
              "epsilon, by the number of facts (closed forms)",
              {"facts", "gd", "coupled_sign", "muon"}};
  std::vector<double> facts, gd, sign, muon, excess, law;
  for (double n : lab.config.growth_facts) {
    const TwoClasses classes(n, share * n, mass);
    facts.push_back(n);
    gd.push_back(worst_probability(classes, MemoryRule::gd, epsilon));
    sign.push_back(worst_probability_coupled_sign(n, epsilon));
    muon.push_back(worst_probability(classes, MemoryRule::muon, epsilon));
    excess.push_back((1 - muon.back()) / epsilon - 1);
    law.push_back(std::log(n) / n);
    table.rows.push_back({n, gd.back(), sign.back(), muon.back()});
  }
  const double ratio = mass * (1 - share) / (share * (1 - mass));
  const double r = std::min(ratio, 1 / ratio);
  const Fit gd_fit = fit_power(facts, gd), sign_fit = fit_power(facts, sign),
            muon_fit = fit_power(facts, excess), law_fit = fit_power(facts, law);
  result.claims.push_back(
      {.statement = "GD: the worst fact's probability rho falls with the number of facts K as "
                    "K^(r - 1).",
       .source = "theorem 5.3",
       .measured = gd_fit.slope,
       .predicted = r - 1,
       .accepted = within(r - 1, 0.02),
       .confidence = gd_fit.slope_interval,
       .note =
           "r is the ratio of the classes' frequencies of one fact, the smaller to the larger."});
  result.claims.push_back(
      {.statement = "SignGD with coupled embeddings: rho falls at least as fast as K^-0.3.",
       .source = "theorem 5.3",
       .measured = sign_fit.slope,
       .predicted = -0.3,
       .accepted = at_most(-0.28),
       .confidence = sign_fit.slope_interval,
       .note = "Taken at the smallest step that brings some fact to 1 - epsilon. For larger steps "
               "the probability of the block's second fact falls to 0."});
  result.claims.push_back(
      {.statement = "Muon: rho is at least 1 - epsilon (1 + O(log K / K)); the excess over epsilon "
                    "falls like log K / K (slope of its logarithm over log K).",
       .source = "theorem 5.3",
       .measured = muon_fit.slope,
       .predicted = law_fit.slope,
       .accepted = within(law_fit.slope, 0.05),
       .confidence = muon_fit.slope_interval,
       .note =
           "Fitted: (1 - rho) / epsilon - 1. Predicted: the slope of log K / K over the same K."});
  page::XyPlot plot{
      .title = "The worst fact by the number of facts",
      .note = "One step, at the smallest step size that brings some fact to 1 - ε.",
      .x = {.name = "number of facts K", .log = true},
      .y = {.name = "probability of the worst fact, ρ", .log = true},
      .series = {{.label = "Muon, any embeddings", .x = facts, .y = muon, .colour = 1, .marker = 1},
                 {.label = "SignGD, coupled", .x = facts, .y = sign, .colour = 3, .marker = 1},
                 {.label = "GD, any embeddings", .x = facts, .y = gd, .colour = 4, .marker = 1}}};
  result.sections.push_back({"growth",
                             "Growth",
                             "How much worse the worst fact becomes if there are more facts.",
                             {std::move(plot)}});
  result.tables.push_back(std::move(table));
}

void run(const MemoryConfig& config, Context& context, Result& result) {
  const MemoryLab lab(config);
  result.remarks = {
      "The paper says K = d = 999 and β = 0.2. 0.2 of 999 is no whole number; 198 frequent facts "
      "keep every block of three in one class.",
      "The paper's step sizes of the paths are not stated; those here are ours. Muon is the exact "
      "polar factor by a singular value decomposition in double, singular values below 1e-7 of the "
      "largest dropped."};
  one_step(lab, context, result);
  many_steps(lab, context, result);
  growth(lab, context, result);
}

}  // namespace muonlab::theory
