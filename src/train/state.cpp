#include "muonlab/train/state.hpp"

#include <cmath>
#include <cstdint>

#include <nlohmann/json.hpp>

#include "muonlab/base/error.hpp"

namespace muonlab::train {
namespace {

// The one list of fields, for writing and for reading.
template <class State, class Visit>
void each_field(State& state, Visit&& visit) {
  visit("step", state.step);
  visit("next_sample", state.next_sample);
  visit("tokens", state.tokens);
  visit("best_val_loss", state.best_val_loss);
  visit("best_step", state.best_step);
  visit("metrics_bytes", state.metrics_bytes);
}

void read_number(const nlohmann::json& json, double& value, const std::string& label,
                 const char* name) {
  if (json.is_null()) return;  // not finite: no validation yet
  if (!json.is_number()) throw base::Error(label, ": \"", name, "\" is not a number");
  value = json.get<double>();
}

// Counters are exact: a fraction, or what int64 does not hold, is no counter.
void read_number(const nlohmann::json& json, int64_t& value, const std::string& label,
                 const char* name) {
  const bool fits =
      json.is_number_integer() &&
      (!json.is_number_unsigned() || json.get<uint64_t>() <= static_cast<uint64_t>(INT64_MAX));
  if (!fits) throw base::Error(label, ": \"", name, "\" is not a whole number of 64 bits");
  value = json.get<int64_t>();
}

std::vector<data::MixtureStretch> parse_mixture(const nlohmann::json& json, int64_t next_sample,
                                                const std::string& label) {
  const auto wrong = [&](const char* what) {
    return base::Error(label, ": \"mixture\" ", what, "; choose another checkpoint");
  };
  if (!json.is_array()) throw wrong("is not an array");
  std::vector<data::MixtureStretch> stretches;
  for (const nlohmann::json& item : json) {
    if (!item.is_object() || !item.contains("from_sample") || !item.contains("weights") ||
        !item["weights"].is_array() || item["weights"].empty())
      throw wrong("holds something else than from_sample and weights");
    data::MixtureStretch stretch;
    read_number(item["from_sample"], stretch.from_sample, label, "mixture.from_sample");
    for (const nlohmann::json& weight : item["weights"]) {
      if (!weight.is_number() || !(weight.get<double>() > 0)) throw wrong("holds a wrong weight");
      stretch.weights.push_back(weight.get<double>());
    }
    const int64_t least = stretches.empty() ? 0 : stretches.back().from_sample;
    if (stretch.from_sample < least || stretch.from_sample > next_sample ||
        (!stretches.empty() && stretches.back().weights.size() != stretch.weights.size()))
      throw wrong("is not in order");
    stretches.push_back(std::move(stretch));
  }
  return stretches;
}

}  // namespace

void forget_best(TrainState& state) {
  state.best_step = TrainState{}.best_step;
  state.best_val_loss = TrainState{}.best_val_loss;
}

std::string state_json(const TrainState& state) {
  nlohmann::ordered_json json;
  each_field(state, [&](const char* name, auto value) {
    if (std::isfinite(static_cast<double>(value))) {
      json[name] = value;
    } else {
      json[name] = nullptr;  // no validation yet
    }
  });
  json["probe_bytes"] = state.probe_bytes;
  for (const data::MixtureStretch& stretch : state.mixture) {
    json["mixture"].push_back({{"from_sample", stretch.from_sample}, {"weights", stretch.weights}});
  }
  return json.dump(2);
}

TrainState parse_state(const std::string& text, const std::string& label) {
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) throw base::Error(label, ": the training state is not a JSON object");
  TrainState state;
  each_field(state, [&](const char* name, auto& value) {
    const auto found = json.find(name);
    if (found == json.end()) throw base::Error(label, ": the training state lacks \"", name, "\"");
    read_number(*found, value, label, name);
  });
  // Checkpoints from before there were probes have none.
  if (const auto lengths = json.find("probe_bytes"); lengths != json.end()) {
    if (!lengths->is_object()) throw base::Error(label, ": \"probe_bytes\" is not an object");
    for (const auto& [name, length] : lengths->items()) {
      read_number(length, state.probe_bytes[name], label, ("probe_bytes." + name).c_str());
      if (state.probe_bytes[name] < 0) {
        throw base::Error(label, ": \"probe_bytes.", name,
                          "\" is negative; choose another checkpoint");
      }
    }
  }
  if (const auto mixture = json.find("mixture"); mixture != json.end())
    state.mixture = parse_mixture(*mixture, state.next_sample, label);
  if (state.step < 0 || state.next_sample < 0 || state.tokens < 0 || state.metrics_bytes < 0 ||
      state.best_step < -1 || state.best_step > state.step) {
    throw base::Error(label, ": the training state counts what cannot be (",
                      json.dump().substr(0, 200), "); choose another checkpoint");
  }
  return state;
}

}  // namespace muonlab::train
