#include "muonlab/theory/memory.hpp"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "memory_model.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/theory/directions.hpp"
#include "muonlab/theory/matrices.hpp"

namespace muonlab::theory {

void MemoryConfig::check(const config::Fail& fail) const {
  if (head_facts > facts - 2) fail("head_facts", "leaves fewer than two facts for the rare class");
  if (embeddings.empty()) fail("embeddings", "is empty; choices: decoupled coupled");
  for (const std::string& name : embeddings) {
    if (name != "decoupled" && name != "coupled")
      fail("embeddings", base::str("\"", name, "\" is no choice; choices: decoupled coupled"));
    if (name == "coupled" && facts % 3 != 0) {
      fail("facts", base::str(facts,
                              " is not divisible by 3, which coupled embeddings need; choose ",
                              facts / 3 * 3, ", or leave coupled out of embeddings"));
    }
  }
}

void run(const MemoryConfig& config, Context& context, Result& result) {
  const std::vector<double> p = two_classes(config.facts, config.head_facts, config.head_mass);
  Table table{"one_step", "loss and imbalance after one step of a size",
              {"embedding", "rule", "step_size", "loss", "imbalance"}};
  page::XyPlot plot{.title = "One step",
                    .x = {.name = "loss"},
                    .y = {.name = "imbalance: largest less least correct probability", .log = true},
                    .series = {}};
  double muon_peak = 0;
  int colour = 0;
  for (const std::string& name : config.embeddings) {
    const MemoryModel model(p, name == "coupled" ? MemoryEmbedding::coupled
                                                 : MemoryEmbedding::decoupled);
    const at::Tensor zero = at::zeros({config.facts, config.facts}, at::kDouble);
    const at::Tensor gradient = model.gradient(zero);
    for (const char* rule : {"GD", "SignGD", "Muon"}) {
      context.progress(base::str("one step, ", name, ", ", rule), 0.1 * colour);
      const std::string kind = rule;
      const at::Tensor direction = kind == "GD"       ? gradient
                                   : kind == "SignGD" ? sign_of(gradient)
                                                      : polar(gradient);
      const at::Tensor logits = model.logits(-direction);
      const double scale = 1 / logits.diagonal().min().item<double>();
      page::XySeries series{.label = base::str(rule, ", ", name), .x = {}, .y = {},
                            .colour = colour++};
      for (int64_t i = 0; i < config.sweep_points; ++i) {
        const double step = std::abs(scale) * 0.1 *
                            std::pow(200.0, static_cast<double>(i) /
                                                static_cast<double>(config.sweep_points - 1));
        const MemoryModel::Measure measure = model.measure(logits * step);
        table.rows.push_back({name, kind, step, measure.loss, measure.imbalance});
        series.x.push_back(measure.loss);
        series.y.push_back(measure.imbalance);
        if (kind == "Muon") muon_peak = std::max(muon_peak, measure.imbalance);
      }
      plot.series.push_back(std::move(series));
    }
  }
  result.tables.push_back(std::move(table));
  result.sections.push_back({"one-step", "One step", "", {std::move(plot)}});
  result.claims.push_back({.statement = "After one step of Muon the imbalance stays below 0.005, "
                                        "whatever the step size and the embedding.",
                           .source = "theorem 5.3, figure 3",
                           .measured = muon_peak,
                           .accepted = at_most(0.005)});
}

}  // namespace muonlab::theory
