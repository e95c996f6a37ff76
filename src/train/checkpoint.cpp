#include "muonlab/train/checkpoint.hpp"

#include <optional>
#include <set>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "muonlab/config/load.hpp"
#include "muonlab/config/model_hf.hpp"
#include "muonlab/tensor/bytes.hpp"

namespace muonlab::train {
namespace {

constexpr int kTrainerFormat = 1;
constexpr int kMaxDepth = 64;
constexpr const char* kOptimizerFile = "optimizer.safetensors";
using Json = nlohmann::ordered_json;

std::string trainer_text(const Trainer& trainer,
                         const std::map<std::string, std::string>& optimizer_of) {
  return Json{{"format", kTrainerFormat},
              {"state", Json::parse(state_json(trainer.state))},
              {"data", trainer.data.identity},
              {"optimizer_of", optimizer_of},
              {"config", Json::parse(config::dump_config(trainer.config))}}
             .dump(2) +
         "\n";
}

// Stored tensors are copied from CPU memory; on a CPU this is the arena itself.
std::vector<tensor::NamedTensor> on_cpu(std::vector<tensor::NamedTensor> tensors) {
  for (tensor::NamedTensor& tensor : tensors)
    tensor.value = tensor.value.detach().cpu().contiguous();
  return tensors;
}

// Loads through a CPU copy where the targets lie on another device.
void load_into(const store::SafetensorsFile& file,
               const std::vector<tensor::NamedTensor>& targets) {
  std::vector<tensor::NamedTensor> staging = on_cpu(targets);
  tensor::load_exactly(file, staging);
  for (size_t i = 0; i < targets.size(); ++i) {
    if (targets[i].value.is_cpu() && targets[i].value.is_contiguous()) continue;
    at::Tensor(targets[i].value).detach().copy_(staging[i].value);
  }
}

// Hugging Face's only architecture with QK-norm (Qwen3) has gains: without gain the file holds ones
// for them.
void append_unit_gains(const config::ModelConfig& model, std::vector<tensor::NamedTensor>& values) {
  if (model.qk_norm != config::QkNorm::no_gain) return;
  const at::Tensor ones = at::ones({*model.head_dim}, at::TensorOptions().dtype(at::kFloat));
  for (int64_t layer = 0; layer < model.layers; ++layer) {
    for (const char* which : {"q_norm", "k_norm"}) {
      values.push_back(
          {base::str("model.layers.", layer, ".self_attn.", which, ".weight"), ones.clone()});
    }
  }
}

// Whose state a tensor "<parameter>/<state>" is.
std::string parameter_of(const std::string& state_name) {
  return state_name.substr(0, state_name.rfind('/'));
}

// Reads an age; in a checkpoint from before ages were kept it is the run's step.
void load_age(const store::Checkpoint& checkpoint, const store::SafetensorsFile& stored,
              const tensor::NamedTensor& age) {
  const store::TensorView* found = stored.find(age.name);
  if (found == nullptr) {
    age.value.fill_(checkpoint.step());
    return;
  }
  const at::Tensor value = tensor::to_tensor(*found);
  const bool is_count = value.scalar_type() == at::kLong && value.dim() == 0;
  if (!is_count || value.item<int64_t>() < 0 || value.item<int64_t>() > checkpoint.step()) {
    throw base::Error(stored.path(), ": tensor \"", age.name,
                      "\" is no number of updates from 0 to the run's step ", checkpoint.step(),
                      "; choose another checkpoint");
  }
  age.value.copy_(value);
}

}  // namespace

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
  file.config_text = need("config").dump(2);
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

std::string save_checkpoint(Trainer& trainer,
                            const std::map<std::string, std::string>& optimizer_of,
                            store::CheckpointWriter&& writer, bool weights_only) {
  std::vector<tensor::NamedTensor> values = on_cpu(tensor::named_values(trainer.arena));
  append_unit_gains(trainer.config.model, values);
  writer.add_safetensors("model.safetensors", tensor::store_views(values));
  const data::Tokenizer& tokenizer = *trainer.data.tokenizer;
  writer.add_file("config.json",
                  config::hugging_face_config(trainer.config.model, tokenizer.end_of_text()));
  for (const auto& [name, bytes] : tokenizer.files()) writer.add_file(name, bytes);
  if (!weights_only) {
    const std::vector<tensor::NamedTensor> moments = on_cpu(trainer.optimizer.state());
    writer.add_safetensors(kOptimizerFile, tensor::store_views(moments));
  }
  writer.add_file("trainer.json", trainer_text(trainer, optimizer_of));
  return writer.commit();
}

void load_weights(const store::Checkpoint& checkpoint, const config::ModelConfig& model,
                  tensor::Arena& arena) {
  std::vector<tensor::NamedTensor> values = tensor::named_values(arena);
  append_unit_gains(model, values);
  load_into(checkpoint.safetensors("model.safetensors"), values);
}

bool has_optimizer_state(const store::Checkpoint& checkpoint) {
  return checkpoint.has(kOptimizerFile);
}

void load_checkpoint(const store::Checkpoint& checkpoint, Trainer& trainer) {
  load_weights(checkpoint, trainer.config.model, trainer.arena);
  const store::SafetensorsFile stored = checkpoint.safetensors(kOptimizerFile);
  std::vector<tensor::NamedTensor> state = trainer.optimizer.state();
  for (const tensor::NamedTensor& tensor : state) {
    if (optim::is_age(tensor.name)) load_age(checkpoint, stored, tensor);
  }
  std::erase_if(state, [&](const tensor::NamedTensor& tensor) {
    return optim::is_age(tensor.name) && stored.find(tensor.name) == nullptr;
  });
  load_into(stored, state);
  trainer.state = read_trainer_file(checkpoint).state;
  trainer.model.weights_changed();
}

CarryOver load_branch(const store::Checkpoint& checkpoint, Trainer& trainer) {
  load_weights(checkpoint, trainer.config.model, trainer.arena);
  std::optional<store::SafetensorsFile> stored;
  if (has_optimizer_state(checkpoint)) stored = checkpoint.safetensors(kOptimizerFile);
  const auto find = [&](const tensor::NamedTensor& target) -> const store::TensorView* {
    const store::TensorView* found = stored ? stored->find(target.name) : nullptr;
    return found != nullptr && found->shape == target.value.sizes().vec() ? found : nullptr;
  };
  CarryOver result;
  std::set<std::string> asked, fresh;  // names of tensors; of parameters
  const std::vector<tensor::NamedTensor> state = trainer.optimizer.state();
  for (const tensor::NamedTensor& target : state) {
    asked.insert(target.name);
    if (!optim::is_age(target.name) && find(target) == nullptr)
      fresh.insert(parameter_of(target.name));
  }
  for (const tensor::NamedTensor& target : state) {
    const bool is_fresh = fresh.contains(parameter_of(target.name));
    if (optim::is_age(target.name)) {
      if (!is_fresh) load_age(checkpoint, *stored, target);
      continue;
    }
    if (!is_fresh) target.value.copy_(tensor::to_tensor(*find(target)));
    (is_fresh ? result.fresh : result.carried).push_back(target.name);
  }
  if (stored) {
    for (const store::TensorView& tensor : stored->tensors()) {
      if (!asked.contains(tensor.name) && !optim::is_age(tensor.name))
        result.dropped.push_back(tensor.name);
    }
  }
  trainer.state = read_trainer_file(checkpoint).state;
  trainer.state.metrics_bytes = 0;
  trainer.state.probe_bytes.clear();
  trainer.state.best_step = -1;
  trainer.state.best_val_loss = TrainState{}.best_val_loss;
  trainer.model.weights_changed();
  return result;
}

}  // namespace muonlab::train
