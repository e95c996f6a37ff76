#include "muonlab/train/checkpoint.hpp"

#include <optional>
#include <set>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "muonlab/base/log.hpp"
#include "muonlab/tensor/bytes.hpp"
#include "muonlab/train/snapshot.hpp"
#include "train/checkpoint_files.hpp"

namespace muonlab::train {

std::vector<tensor::NamedTensor> on_cpu(std::vector<tensor::NamedTensor> tensors) {
  for (tensor::NamedTensor& tensor : tensors)
    tensor.value = tensor.value.detach().cpu().contiguous();
  return tensors;
}

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

namespace {

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

// Whose state a tensor "<parameter>/<state>" is.
std::string parameter_of(const std::string& state_name) {
  return state_name.substr(0, state_name.rfind('/'));
}

// Reads an age; in a checkpoint from before ages were kept it is the run's step.
void load_age(int64_t step, const store::SafetensorsFile& stored, const tensor::NamedTensor& age) {
  const store::TensorView* found = stored.find(age.name);
  if (found == nullptr) {
    age.value.fill_(step);
    return;
  }
  const at::Tensor value = tensor::to_tensor(*found);
  const bool is_count = value.scalar_type() == at::kLong && value.dim() == 0;
  if (!is_count || value.item<int64_t>() < 0 || value.item<int64_t>() > step) {
    throw base::Error(stored.path(), ": tensor \"", age.name,
                      "\" is no number of updates from 0 to the run's step ", step,
                      "; choose another checkpoint");
  }
  age.value.copy_(value);
}

// The rule that left a parameter's state: two rules may call what they keep alike and mean other
// things by it.
std::string_view saved_rule(const TrainerFile& saved, const std::string& parameter) {
  const auto optimizer = saved.optimizer_of.find(parameter);
  if (optimizer == saved.optimizer_of.end()) return "";
  const auto config = saved.config.optimizers.find(optimizer->second);
  return config == saved.config.optimizers.end() ? "" : config::rule_name(config->second);
}

// Parameters whose state starts anew: their rule is another, or a tensor of it is not there.
std::set<std::string> fresh_parameters(const SavedState& saved, Trainer& trainer,
                                       const std::optional<store::SafetensorsFile>& stored) {
  std::set<std::string> fresh;
  const optim::Routing& routing = trainer.routing;
  for (size_t i = 0; i < routing.specs.size(); ++i) {
    const std::string& name = routing.specs[i].name;
    const auto& now = trainer.config.optimizers.at(routing.optimizer[i]);
    if (saved_rule(saved.trainer, name) != config::rule_name(now)) fresh.insert(name);
  }
  for (const tensor::NamedTensor& target : trainer.optimizer.state()) {
    if (optim::is_age(target.name)) continue;
    const store::TensorView* found = stored ? stored->find(target.name) : nullptr;
    if (found == nullptr || found->shape != target.value.sizes().vec())
      fresh.insert(parameter_of(target.name));
  }
  return fresh;
}

// The first step that a stored average takes in; none where there is no average.
std::optional<int64_t> first_averaged(const SavedState& saved) {
  if (!saved.checkpoint.has(kAverageFile)) return std::nullopt;
  const store::SafetensorsFile stored = saved.checkpoint.safetensors(kAverageFile);
  return saved.step() + 1 - tensor::to_tensor(stored.at("count")).item<int64_t>();
}

// A run that does not average, or does not average yet, has no use for a stored average; nor has
// one whose window begins later, as no step can be taken out of a mean. One that begins later than
// the window holds a part of it.
void resume_average(const SavedState& saved, Trainer& trainer) {
  const int64_t first = WeightAverage::first_step(trainer.config.train, trainer.plan.steps);
  if (saved.step() < first) return;
  const std::optional<int64_t> begun = first_averaged(saved);
  if (!begun || *begun < first) {
    base::log_warning(
        "train.average takes in the steps from ", first, " on, but ", saved.checkpoint.path(),
        " holds ",
        begun ? base::str("an average of those from ", *begun, " on") : std::string("no average"),
        "; the average begins anew after step ", saved.step());
    return;
  }
  load_into(saved.checkpoint.safetensors(kAverageFile), trainer.average.state(trainer.arena));
}

CarryOver carry_over(const SavedState& saved, Trainer& trainer) {
  std::optional<store::SafetensorsFile> stored;
  if (saved.has_optimizer_state()) stored = saved.checkpoint.safetensors(kOptimizerFile);
  const std::set<std::string> fresh = fresh_parameters(saved, trainer, stored);
  CarryOver result;
  std::set<std::string> carried;
  for (const tensor::NamedTensor& target : trainer.optimizer.state()) {
    const bool is_fresh = fresh.contains(parameter_of(target.name));
    if (optim::is_age(target.name)) {
      if (!is_fresh) load_age(saved.step(), *stored, target);
      continue;
    }
    if (!is_fresh) target.value.copy_(tensor::to_tensor(stored->at(target.name)));
    if (!is_fresh) carried.insert(target.name);
    (is_fresh ? result.fresh : result.carried).push_back(target.name);
  }
  if (stored) {
    for (const store::TensorView& tensor : stored->tensors()) {
      if (!carried.contains(tensor.name) && !optim::is_age(tensor.name))
        result.dropped.push_back(tensor.name);
    }
  }
  return result;
}

}  // namespace

std::vector<tensor::NamedTensor> stored_values(const config::ModelConfig& model,
                                               tensor::Arena& arena) {
  std::vector<tensor::NamedTensor> values = tensor::named_values(arena);
  append_unit_gains(model, values);
  return values;
}

SavedState::SavedState(store::Checkpoint opened)
    : checkpoint(std::move(opened)), trainer(read_trainer_file(checkpoint)) {}

bool SavedState::has_optimizer_state() const { return checkpoint.has(kOptimizerFile); }

std::string save_checkpoint(Trainer& trainer, store::CheckpointWriter&& writer, bool weights_only) {
  return write_snapshot(view_state(trainer, weights_only), std::move(writer));
}

void load_weights(const store::Checkpoint& checkpoint, const config::ModelConfig& model,
                  tensor::Arena& arena) {
  load_into(checkpoint.safetensors("model.safetensors"), stored_values(model, arena));
}

bool load_average(const store::Checkpoint& checkpoint, tensor::Arena& arena) {
  if (!checkpoint.has(kAverageFile)) return false;
  const at::NoGradGuard no_grad;
  WeightAverage average;
  load_into(checkpoint.safetensors(kAverageFile), average.state(arena));
  const std::vector<tensor::NamedTensor> values = average.state(arena);
  for (size_t i = 0; i < arena.parameters().size(); ++i)
    arena.parameters()[i].value.detach().copy_(values[i].value);
  return true;
}

void load_checkpoint(const SavedState& saved, Trainer& trainer) {
  load_weights(saved.checkpoint, trainer.config.model, trainer.arena);
  const store::SafetensorsFile stored = saved.checkpoint.safetensors(kOptimizerFile);
  std::vector<tensor::NamedTensor> state = trainer.optimizer.state();
  for (const tensor::NamedTensor& tensor : state) {
    if (optim::is_age(tensor.name)) load_age(saved.step(), stored, tensor);
  }
  std::erase_if(state, [&](const tensor::NamedTensor& tensor) {
    return optim::is_age(tensor.name) && stored.find(tensor.name) == nullptr;
  });
  load_into(stored, state);
  trainer.state = saved.trainer.state;
  resume_average(saved, trainer);
  trainer.model.weights_changed();
}

CarryOver load_changed(const SavedState& saved, Trainer& trainer) {
  load_weights(saved.checkpoint, trainer.config.model, trainer.arena);
  CarryOver result = carry_over(saved, trainer);
  trainer.state = saved.trainer.state;
  resume_average(saved, trainer);
  trainer.model.weights_changed();
  return result;
}

CarryOver load_branch(const SavedState& saved, Trainer& trainer) {
  CarryOver result = load_changed(saved, trainer);
  trainer.state.metrics_bytes = 0;
  trainer.state.probe_bytes.clear();
  forget_best(trainer.state);
  return result;
}

}  // namespace muonlab::train
