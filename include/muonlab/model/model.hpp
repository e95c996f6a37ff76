// The model's interface: tokens and targets to a loss that can be sent backward.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include <ATen/core/Tensor.h>

#include "muonlab/config/run.hpp"
#include "muonlab/tensor/parameter.hpp"
#include "muonlab/tensor/path.hpp"

namespace muonlab::model {

// What a forward pass shows on its way; a function that is empty is not called.
struct Observer {
  // What a layer's matrices read, [n, k] in the compute dtype. q stands for q, k and v; ffn_in for
  // ffn_in and ffn_gate.
  std::function<void(int64_t layer, config::Role role, const at::Tensor& input_nk)> input{};
  // The largest attention score scale q k of a layer, before a cap on scores.
  std::function<void(int64_t layer, double logit)> max_logit{};
  // The same for each query head: double [heads], on the CPU.
  std::function<void(int64_t layer, const at::Tensor& logits_h)> head_logits{};
};

// Keys and values of the tokens that a model has read, so that a next one need not read them again.
struct KeyValueCache {
  int64_t num_positions = 0;
  // One a layer, [b, key heads, room for positions, head_dim] in the compute dtype: keys after norm
  // and rotation.
  std::vector<at::Tensor> keys{}, values{};
};

// Shapes: b sequences, t tokens, v vocabulary. Tokens and targets are int64 [b, t] on the arena's
// device; a target of -100 is not counted.
class Model {
 public:
  virtual ~Model() = default;
  // Mean cross-entropy in nats over the counted targets, 0-d fp32 (double for a double arena). With
  // gradients enabled the result carries a graph; backward() adds the gradients to the arena
  // (design §4, both kernel paths); those of z_loss * mean(ln(Z)^2) too, which the value is
  // without.
  virtual at::Tensor forward(const at::Tensor& tokens_bt, const at::Tensor& targets_bt,
                             double z_loss) = 0;
  at::Tensor forward(const at::Tensor& tokens_bt, const at::Tensor& targets_bt) {
    return forward(tokens_bt, targets_bt, 0.0);
  }
  // Logits fp32 [b, t, v], exactly v columns, without a graph unless the path is reference
  // and GradMode is on.
  virtual at::Tensor logits(const at::Tensor& tokens_bt) = 0;
  // Logits [n, v] at places of the flattened [b * t] only; places int64 [n]. No graph.
  virtual at::Tensor logits_at(const at::Tensor& tokens_bt, const at::Tensor& places_n) = 0;
  // Whether next_logits() can be called: not where what a token sees of those before it changes
  // as the text grows (windows, borders of documents, rotary frequencies that follow the length).
  virtual bool has_cache() const = 0;
  // Logits fp32 [b, v] behind the last of the tokens, which follow those that the cache holds: a
  // new cache holds none. Their keys and values are added to it. No graph.
  virtual at::Tensor next_logits(const at::Tensor& tokens_bt, KeyValueCache& cache) = 0;
  // Cross-entropy of each target in nats, fp32 [b, t], 0 where not counted; no graph.
  virtual at::Tensor token_losses(const at::Tensor& tokens_bt, const at::Tensor& targets_bt) = 0;
  // A forward pass without a graph, layer by layer.
  virtual void observe(const at::Tensor& tokens_bt, const Observer& observer) = 0;
  // Call after the parameters changed: refreshes the bf16 shadow copies.
  virtual void weights_changed() = 0;
  // Multiply-add FLOPs of forward plus backward for one token, attention included (2 FLOPs a
  // multiply-add).
  virtual double flops_per_token() const = 0;
};

// Model::flops_per_token() of a model that need not exist. REQUIRES: resolved, with a vocabulary.
double flops_per_token(const config::ModelConfig& model);

// REQUIRES: model.config resolved; arena built from config::parameter_specs(model).
std::unique_ptr<Model> make_llama(const config::ModelConfig& model, config::Precision precision,
                                  tensor::Path path, tensor::Arena& arena);

// Writes initial weights: each value a function of (seed, parameter name, index), independent of
// layout and device.
void initialize(const config::ModelConfig& model, int64_t seed, tensor::Arena& arena);

// loss.backward() with the incoming gradient `scale` (1 / number of micro-batches).
void backward(const at::Tensor& loss, double scale);

}  // namespace muonlab::model
