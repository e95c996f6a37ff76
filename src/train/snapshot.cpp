#include "muonlab/train/snapshot.hpp"

#include <ATen/ATen.h>

#include "muonlab/base/non_finite.hpp"
#include "muonlab/config/model_hf.hpp"
#include "muonlab/store/finite.hpp"
#include "muonlab/tensor/bytes.hpp"
#include "muonlab/train/trainer_file.hpp"
#include "train/checkpoint_files.hpp"

namespace muonlab::train {
namespace {

using tensor::NamedTensor;

// The state where it lies, not yet known to be finite.
Snapshot state_of(Trainer& trainer, bool weights_only) {
  Snapshot state{.step = trainer.state.step,
                 .weights_only = weights_only,
                 .weights = tensor::named_values(trainer.arena)};
  append_unit_gains(trainer.config.model, state.weights);
  if (!weights_only) state.optimizer = trainer.optimizer.state();
  if (trainer.average.count() > 0) state.average = trainer.average.state(trainer.arena);
  const data::Tokenizer& tokenizer = *trainer.data.tokenizer;
  state.files.emplace_back(
      "config.json", config::hugging_face_config(trainer.config.model, tokenizer.end_of_text()));
  for (const auto& [name, bytes] : tokenizer.files()) state.files.emplace_back(name, bytes);
  state.files.emplace_back("trainer.json", trainer_file_text(trainer));
  return state;
}

void require_finite(const Snapshot& snapshot) {
  for (const auto* tensors : {&snapshot.weights, &snapshot.optimizer}) {
    if (const auto name = store::first_non_finite(tensor::store_views(*tensors))) {
      throw base::NonFinite("step ", snapshot.step,
                            ": its update made values that are not finite, first in ", *name,
                            "; the state after it was not saved.");
    }
  }
}

constexpr int64_t kAlignment = 64;  // bytes

int64_t place_bytes(const NamedTensor& tensor) {
  return (static_cast<int64_t>(tensor.value.nbytes()) + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

Snapshot view_state(Trainer& trainer, bool weights_only) {
  Snapshot snapshot = state_of(trainer, weights_only);
  for (auto* tensors : {&snapshot.weights, &snapshot.average, &snapshot.optimizer})
    *tensors = on_cpu(std::move(*tensors));
  require_finite(snapshot);
  return snapshot;
}

Snapshot copy_state(Trainer& trainer, bool weights_only, at::Tensor& memory) {
  Snapshot snapshot = state_of(trainer, weights_only);
  int64_t bytes = 0;
  for (const auto* tensors : {&snapshot.weights, &snapshot.average, &snapshot.optimizer}) {
    for (const NamedTensor& tensor : *tensors) bytes += place_bytes(tensor);
  }
  if (!memory.defined() || memory.numel() < bytes) {
    const bool on_gpu = trainer.arena.values().is_cuda();
    memory = at::empty({bytes}, at::TensorOptions().dtype(at::kByte).pinned_memory(on_gpu));
  }
  int64_t begin = 0;
  for (auto* tensors : {&snapshot.weights, &snapshot.average, &snapshot.optimizer}) {
    for (NamedTensor& tensor : *tensors) {
      const at::Tensor copy = memory.narrow(0, begin, static_cast<int64_t>(tensor.value.nbytes()))
                                  .view(tensor.value.scalar_type())
                                  .view(tensor.value.sizes());
      begin += place_bytes(tensor);
      copy.copy_(tensor.value.detach());
      tensor.value = copy;
    }
  }
  require_finite(snapshot);
  return snapshot;
}

std::string write_snapshot(const Snapshot& snapshot, store::CheckpointWriter&& writer) {
  writer.add_safetensors("model.safetensors", tensor::store_views(snapshot.weights));
  if (!snapshot.average.empty())
    writer.add_safetensors(kAverageFile, tensor::store_views(snapshot.average));
  if (!snapshot.weights_only)
    writer.add_safetensors(kOptimizerFile, tensor::store_views(snapshot.optimizer));
  for (const auto& [name, bytes] : snapshot.files) writer.add_file(name, bytes);
  return writer.commit();
}

}  // namespace muonlab::train
