#include "muonlab/train/trainer_file.hpp"

#include <nlohmann/json.hpp>

#include "muonlab/base/error.hpp"
#include "muonlab/config/load.hpp"

namespace muonlab::train {
namespace {

constexpr int kTrainerFormat = 1;
constexpr int kMaxDepth = 64;
using Json = nlohmann::ordered_json;

std::map<std::string, std::string> optimizer_of(const optim::Routing& routing) {
  std::map<std::string, std::string> names;
  for (size_t i = 0; i < routing.specs.size(); ++i)
    names[routing.specs[i].name] = routing.optimizer[i];
  return names;
}

}  // namespace

std::string trainer_file_text(const Trainer& trainer) {
  return Json{{"format", kTrainerFormat},
              {"state", Json::parse(state_json(trainer.state))},
              {"data", trainer.data.identity},
              {"optimizer_of", optimizer_of(trainer.routing)},
              {"config", Json::parse(config::dump_config(trainer.config))}}
             .dump(2) +
         "\n";
}

TrainerFile read_trainer_file(const store::Checkpoint& checkpoint) {
  const std::string label = checkpoint.path() + "/trainer.json";
  // Deeper is none of ours, and copying or printing it would take stack without end.
  bool too_deep = false;
  const auto shallow = [&](int depth, Json::parse_event_t, Json&) {
    too_deep |= depth > kMaxDepth;
    return !too_deep;
  };
  const Json json = Json::parse(checkpoint.read("trainer.json"), shallow, false);
  if (too_deep)
    throw base::Error(label, ": nested deeper than ", kMaxDepth,
                      " levels; choose another checkpoint");
  const auto need = [&](const char* key) -> const Json& {
    const auto found = json.is_object() ? json.find(key) : json.end();
    if (!json.is_object() || found == json.end()) throw base::Error(label, ": lacks \"", key, "\"");
    return *found;
  };
  const Json& format = need("format");
  if (format != kTrainerFormat) {
    throw base::Error(label, ": format ", format.dump().substr(0, 40), " is not ", kTrainerFormat,
                      "; it was written by another version of muonlab");
  }
  TrainerFile file;
  file.state = parse_state(need("state").dump(), label);
  if (file.state.step != checkpoint.step()) {
    throw base::Error(label, ": says step ", file.state.step, ", the checkpoint's manifest says ",
                      checkpoint.step(), "; choose another checkpoint");
  }
  file.config = config::parse_stored_config(need("config").dump(2), label).run;
  const Json& data = need("data");
  if (!data.is_string()) throw base::Error(label, ": \"data\" is not a text");
  file.data_identity = data.get<std::string>();
  const Json& optimizer_of = need("optimizer_of");
  if (!optimizer_of.is_object()) throw base::Error(label, ": \"optimizer_of\" is not an object");
  for (const auto& [name, optimizer] : optimizer_of.items()) {
    if (!optimizer.is_string())
      throw base::Error(label, ": \"optimizer_of\": ", name, " is not a text");
    file.optimizer_of[name] = optimizer.get<std::string>();
  }
  return file;
}

}  // namespace muonlab::train
