#include "config/checker.hpp"

namespace muonlab::config {

namespace {

// The parameters that a probe measures; `matrices` leaves out those that are none.
void check_params(Checker& c, const std::string& probe, std::vector<std::string>& params,
                  bool matrices) {
  const std::string path = probe + ".params";
  if (params.empty()) c.fail(path, "is empty; leave " + probe + " out to measure nothing");
  for (size_t i = 0; i < params.size(); ++i) {
    const std::string problem = selector_problem(params[i]);
    if (!problem.empty()) c.fail(item_path(path, i), problem);
  }
  if (c.problems.touches("probes") || c.problems.touches("model")) return;
  ModelConfig model = c.run.model;
  if (!model.vocabulary) model.vocabulary = 2;  // what matches does not depend on it
  const std::vector<ParameterSpec> specs = parameter_specs(model);
  if (!c.few_enough(path, params, specs.size())) return;
  for (size_t i = 0; i < params.size(); ++i) {
    const Selector selector(params[i]);
    const bool matches = std::any_of(specs.begin(), specs.end(), [&](const ParameterSpec& spec) {
      return (!matrices || spec.shape.size() == 2) && selector.matches(spec);
    });
    const std::string item = item_path(path, i);
    if (!matches) {
      c.fail(item, quote(params[i]) + " matches no " + (matrices ? "matrix" : "parameter") +
                       " of this model");
    } else {
      params[i] = c.within_model(selector, params[i], item);
    }
  }
}

}  // namespace

void check_probes(Checker& c) {
  ProbesConfig& probes = c.run.probes;
  if (probes.spectra && !c.problems.touches("probes.spectra"))
    check_params(c, "probes.spectra", probes.spectra->params, true);
  if (probes.sharpness && !c.problems.touches("probes.sharpness"))
    check_params(c, "probes.sharpness", probes.sharpness->params, false);
  if (probes.tail && std::holds_alternative<ShardsConfig>(c.run.data) &&
      !c.problems.touches("data")) {
    c.fail("probes.tail", "asks about the people of data.kind biographies; the data are shards");
  }
}

}  // namespace muonlab::config
