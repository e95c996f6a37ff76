#include "config/checker.hpp"

namespace muonlab::config {

namespace {

void check_spectra(Checker& c) {
  if (!c.run.probes.spectra || c.problems.touches("probes.spectra")) return;
  std::vector<std::string>& params = c.run.probes.spectra->params;
  if (params.empty())
    c.fail("probes.spectra.params", "is empty; leave probes.spectra out to measure nothing");
  for (size_t i = 0; i < params.size(); ++i) {
    const std::string problem = selector_problem(params[i]);
    if (!problem.empty()) c.fail(item_path("probes.spectra.params", i), problem);
  }
  if (c.problems.touches("probes") || c.problems.touches("model")) return;
  ModelConfig model = c.run.model;
  if (!model.vocabulary) model.vocabulary = 2;  // what matches does not depend on it
  const std::vector<ParameterSpec> specs = parameter_specs(model);
  if (!c.few_enough("probes.spectra.params", params, specs.size())) return;
  for (size_t i = 0; i < params.size(); ++i) {
    const Selector selector(params[i]);
    const bool matches = std::any_of(specs.begin(), specs.end(), [&](const ParameterSpec& spec) {
      return spec.shape.size() == 2 && selector.matches(spec);
    });
    const std::string path = item_path("probes.spectra.params", i);
    if (!matches) {
      c.fail(path, quote(params[i]) + " matches no matrix of this model");
    } else {
      params[i] = c.within_model(selector, params[i], path);
    }
  }
}

}  // namespace

void check_probes(Checker& c) {
  check_spectra(c);
  if (c.run.probes.tail && std::holds_alternative<ShardsConfig>(c.run.data) &&
      !c.problems.touches("data")) {
    c.fail("probes.tail", "asks about the people of data.kind biographies; the data are shards");
  }
}

}  // namespace muonlab::config
