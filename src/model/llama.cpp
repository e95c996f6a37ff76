// The decoder: embedding, layers of attention and feed-forward on a residual stream, final norm,
// head. Shapes: b sequences, t tokens, n = b * t rows, w width, v vocabulary.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "muonlab/base/error.hpp"
#include "muonlab/model/model.hpp"
#include "muonlab/ops/activation.hpp"
#include "muonlab/ops/attention.hpp"
#include "muonlab/ops/cross_entropy.hpp"
#include "muonlab/ops/embedding.hpp"
#include "muonlab/ops/linear.hpp"
#include "muonlab/ops/rms_norm.hpp"

namespace muonlab::model {
namespace {

constexpr int64_t kHeadRowMultiple = 64;  // of the vocabulary, in compute buffers

struct Layer {
  tensor::Parameter attention_norm;
  ops::StackedWeight qkv;
  ops::HeadGains head_gains;
  ops::StackedWeight o;
  tensor::Parameter ffn_norm;
  ops::StackedWeight ffn_in;  // gated: [in | gate]
  ops::StackedWeight ffn_out;
};

// An observer's view of one layer.
struct View {
  const Observer& observer;
  int64_t layer;

  void input(config::Role role, const at::Tensor& input_nk) const {
    if (observer.input) observer.input(layer, role, input_nk);
  }
};

class Llama final : public Model {
 public:
  Llama(const config::ModelConfig& config, config::Precision precision, tensor::Path path,
        tensor::Arena& arena)
      : config_(config),
        path_(path),
        attention_(ops::attention_spec(config)),
        dtype_(arena.values().scalar_type()),
        compute_(precision == config::Precision::bf16 ? at::kBFloat16 : dtype_),
        embed_(arena.find("model.embed_tokens.weight")),
        norm_(arena.find("model.norm.weight")),
        head_(stack(arena, {config.tied ? "model.embed_tokens.weight" : "lm_head.weight"},
                    kHeadRowMultiple)) {
    for (int64_t i = 0; i < config.layers; ++i) layers_.push_back(make_layer(arena, i));
    grow_rotary_table(config.context);
  }

  at::Tensor forward(const at::Tensor& tokens_bt, const at::Tensor& targets_bt) override {
    return ops::cross_entropy(decode(tokens_bt), head_, targets_bt.reshape(-1));
  }

  at::Tensor logits(const at::Tensor& tokens_bt) override {
    const bool with_graph = path_ == tensor::Path::reference && at::GradMode::is_enabled();
    at::AutoGradMode mode(with_graph);
    return read_out(decode(tokens_bt), with_graph)
        .view({tokens_bt.size(0), tokens_bt.size(1), head_.rows()});
  }

  at::Tensor logits_at(const at::Tensor& tokens_bt, const at::Tensor& places_n) override {
    at::NoGradGuard no_grad;
    return read_out(decode(tokens_bt).index_select(0, places_n), false);
  }

  at::Tensor token_losses(const at::Tensor& tokens_bt, const at::Tensor& targets_bt) override {
    at::NoGradGuard no_grad;
    return ops::token_cross_entropy(decode(tokens_bt), head_, targets_bt.reshape(-1))
        .view(targets_bt.sizes());
  }

  void observe(const at::Tensor& tokens_bt, const Observer& observer) override {
    at::NoGradGuard no_grad;
    decode(tokens_bt, observer);
  }

  void weights_changed() override {
    for (Layer& layer : layers_) {
      for (ops::StackedWeight* weight : {&layer.qkv, &layer.o, &layer.ffn_in, &layer.ffn_out})
        weight->refresh();
    }
    head_.refresh();
  }

  double flops_per_token() const override { return model::flops_per_token(config_); }

 private:
  at::Tensor read_out(const at::Tensor& hidden_nw, bool with_graph) const {
    const at::Tensor weight =
        with_graph ? head_.differentiable() : head_.shadow().narrow(0, 0, head_.rows());
    const at::Tensor logits_nv = at::linear(hidden_nw, weight);
    return logits_nv.to(dtype_ == at::kDouble ? at::kDouble : at::kFloat);
  }

  // The final hidden states [n, w], normed, in the compute dtype.
  at::Tensor decode(const at::Tensor& tokens_bt, const Observer& observer = {}) {
    base::check(tokens_bt.dim() == 2, "tokens are [b, t]");
    grow_rotary_table(tokens_bt.size(1));
    const int64_t num_sequences = tokens_bt.size(0);
    at::Tensor residual_nw = ops::embedding(path_, tokens_bt.reshape(-1), embed_);
    at::Tensor branch_nw, normed_nw;
    for (size_t i = 0; i < layers_.size(); ++i) {
      const Layer& layer = layers_[i];
      const View view{observer, static_cast<int64_t>(i)};
      std::tie(residual_nw, normed_nw) = add_norm(residual_nw, branch_nw, layer.attention_norm);
      branch_nw = attend(layer, normed_nw, num_sequences, view);
      std::tie(residual_nw, normed_nw) = add_norm(residual_nw, branch_nw, layer.ffn_norm);
      branch_nw = feed_forward(layer, normed_nw, view);
    }
    return std::get<1>(add_norm(residual_nw, branch_nw, norm_));
  }

  at::Tensor attend(const Layer& layer, const at::Tensor& normed_nw, int64_t num_sequences,
                    const View& view) const {
    view.input(config::Role::q, normed_nw);
    const at::Tensor qkv = ops::linear(normed_nw, layer.qkv);
    if (view.observer.max_logit) {
      view.observer.max_logit(view.layer, ops::largest_logit(qkv, num_sequences, attention_,
                                                             rotary_, layer.head_gains));
    }
    if (view.observer.head_logits) {
      view.observer.head_logits(view.layer, ops::largest_logits(qkv, num_sequences, attention_,
                                                                rotary_, layer.head_gains));
    }
    const at::Tensor mixed =
        ops::self_attention(path_, qkv, num_sequences, attention_, rotary_, layer.head_gains);
    view.input(config::Role::o, mixed);
    return ops::linear(mixed, layer.o);
  }

  at::Tensor feed_forward(const Layer& layer, const at::Tensor& normed_nw, const View& view) const {
    view.input(config::Role::ffn_in, normed_nw);
    const at::Tensor hidden = ops::linear(normed_nw, layer.ffn_in);
    const at::Tensor active = ops::activate(path_, hidden, config_.activation, config_.gated);
    view.input(config::Role::ffn_out, active);
    return ops::linear(active, layer.ffn_out);
  }

  std::tuple<at::Tensor, at::Tensor> add_norm(const at::Tensor& residual_nw,
                                              const at::Tensor& branch_nw,
                                              const tensor::Parameter& gain) const {
    ops::Normed out =
        ops::add_norm(path_, residual_nw, branch_nw, gain, config_.norm_eps, compute_);
    return {std::move(out.residual_nw), std::move(out.normed_nw)};
  }

  ops::StackedWeight stack(tensor::Arena& arena, const std::vector<std::string>& names,
                           int64_t row_multiple = 1) const {
    std::vector<tensor::Parameter> parts;
    for (const std::string& name : names) parts.push_back(arena.find(name));
    return ops::StackedWeight(std::move(parts), path_, compute_, row_multiple);
  }

  Layer make_layer(tensor::Arena& arena, int64_t index) const {
    const std::string prefix = base::str("model.layers.", index, ".");
    const std::string attention = prefix + "self_attn.", mlp = prefix + "mlp.";
    ops::HeadGains head_gains;
    if (attention_.norm.mode == config::QkNorm::gain) {
      head_gains.query = arena.find(attention + "q_norm.weight");
      head_gains.key = arena.find(attention + "k_norm.weight");
    }
    std::vector<std::string> ffn_in{mlp + "up_proj.weight"};
    if (config_.gated) ffn_in.insert(ffn_in.begin(), mlp + "gate_proj.weight");
    return {arena.find(prefix + "input_layernorm.weight"),
            stack(arena, {attention + "q_proj.weight", attention + "k_proj.weight",
                          attention + "v_proj.weight"}),
            std::move(head_gains),
            stack(arena, {attention + "o_proj.weight"}),
            arena.find(prefix + "post_attention_layernorm.weight"),
            stack(arena, ffn_in),
            stack(arena, {mlp + "down_proj.weight"})};
  }

  void grow_rotary_table(int64_t num_positions) {
    if (rotary_.cos_th.defined() && rotary_.cos_th.size(0) >= num_positions) return;
    rotary_ = ops::make_rotary_table(
        num_positions, attention_.heads.head_dim, attention_.rotation.theta,
        dtype_ == at::kDouble ? at::kDouble : at::kFloat, embed_.value.device());
  }

  config::ModelConfig config_;
  tensor::Path path_;
  ops::AttentionSpec attention_;
  at::ScalarType dtype_, compute_;
  tensor::Parameter embed_, norm_;
  ops::StackedWeight head_;
  std::vector<Layer> layers_;
  ops::RotaryTable rotary_;
};

}  // namespace

std::unique_ptr<Model> make_llama(const config::ModelConfig& model, config::Precision precision,
                                  tensor::Path path, tensor::Arena& arena) {
  base::check(model.kv_heads && model.head_dim && model.ffn_width && model.vocabulary,
              "model config is not resolved");
  base::check(path != tensor::Path::cpu ||
                  (arena.values().is_cpu() && arena.values().scalar_type() == at::kFloat),
              "the path cpu takes fp32 weights on the CPU");
  base::check(path != tensor::Path::cuda || arena.values().scalar_type() == at::kFloat,
              "the path cuda takes fp32 weights");
  return std::make_unique<Llama>(model, precision, path, arena);
}

void backward(const at::Tensor& loss, double scale) {
  loss.backward(at::full({}, scale, loss.options().requires_grad(false)));
}

}  // namespace muonlab::model
