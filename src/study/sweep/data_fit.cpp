#include "muonlab/study/sweep/data_fit.hpp"

#include "muonlab/base/error.hpp"
#include "muonlab/config/error.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/run/session.hpp"

namespace muonlab::study {
namespace {

// What decides whether a run fits its data; empty where the configuration alone says it.
std::string question(const config::RunConfig& run) {
  if (!run.probes.tail && !run.train.epochs) return "";
  config::RunConfig fit;
  fit.data = run.data;
  fit.model.context = run.model.context;
  fit.model.vocabulary = run.model.vocabulary;
  fit.probes.tail = run.probes.tail;
  if (run.train.epochs) {
    fit.train = run.train;
    fit.schedule = run.schedule;
    for (const auto& [name, optimizer] : run.optimizers) {
      if (std::visit([](const auto& rule) { return rule.schedule.has_value(); }, optimizer))
        fit.optimizers.emplace(name, optimizer);
    }
  }
  return config::dump_config(fit);
}

}  // namespace

std::string DataFit::check(const config::RunConfig& run, const std::string& file,
                           const std::string& place) {
  const std::string asked = question(run);
  if (asked.empty() || !checked_.insert(asked).second) return "";
  try {
    run::check_with_data(run);
  } catch (const config::ConfigError& error) {
    std::vector<config::Problem> problems;
    for (const config::Problem& problem : error.problems())
      problems.push_back({file, place, problem.line()});
    throw config::ConfigError(std::move(problems));
  } catch (const base::Error& error) {
    return error.what();
  }
  return "";
}

bool DataFit::is_quick(const config::RunConfig& run) {
  constexpr int64_t kFewPeople = 12;  // as a power of two
  const auto* people = std::get_if<config::BiographiesConfig>(&run.data);
  return question(run).empty() || people == nullptr || people->m <= kFewPeople;
}

}  // namespace muonlab::study
