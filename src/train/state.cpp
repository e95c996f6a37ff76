#include "muonlab/train/state.hpp"

#include <cmath>

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

}  // namespace

std::string state_json(const TrainState& state) {
  nlohmann::ordered_json json;
  each_field(state, [&](const char* name, auto value) {
    if (std::isfinite(static_cast<double>(value))) {
      json[name] = value;
    } else {
      json[name] = nullptr;  // no validation yet
    }
  });
  return json.dump(2);
}

TrainState parse_state(const std::string& text, const std::string& label) {
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) throw base::Error(label, ": the training state is not a JSON object");
  TrainState state;
  each_field(state, [&](const char* name, auto& value) {
    const auto found = json.find(name);
    if (found == json.end()) throw base::Error(label, ": the training state lacks \"", name, "\"");
    if (found->is_null()) return;
    if (!found->is_number()) throw base::Error(label, ": \"", name, "\" is not a number");
    value = found->get<std::decay_t<decltype(value)>>();
  });
  return state;
}

}  // namespace muonlab::train
