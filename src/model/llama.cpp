// The decoder: embedding, layers of attention and feed-forward on a residual stream, final norm,
// head. Shapes: b sequences, t tokens, n = b * t rows, w width, v vocabulary.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "muonlab/base/error.hpp"
#include "muonlab/model/model.hpp"
#include "muonlab/ops/activation.hpp"
#include "muonlab/ops/attention.hpp"
#include "muonlab/ops/cached_attention.hpp"
#include "muonlab/ops/cross_entropy.hpp"
#include "muonlab/ops/embedding.hpp"
#include "muonlab/ops/linear.hpp"
#include "muonlab/ops/rms_norm.hpp"
#include "muonlab/ops/value_residual.hpp"
#include "muonlab/ops/visible_keys.hpp"

namespace muonlab::model {
namespace {

constexpr int64_t kHeadRowMultiple = 64;  // of the vocabulary, in compute buffers
// So many tokens are read into a cache at a time: their scores take as many times the positions.
constexpr int64_t kCachedTokens = 256;

struct Layer {
  ops::AttentionSpec attention;
  tensor::Parameter attention_norm;
  ops::StackedWeight qkv;
  ops::HeadGains head_gains;
  ops::StackedWeight o;
  tensor::Parameter ffn_norm;
  ops::StackedWeight ffn_in;  // gated: [in | gate]
  ops::StackedWeight ffn_out;
  // Of what attention and feed-forward add; without a value where there is none.
  tensor::Parameter attention_post_norm{}, ffn_post_norm{};
  tensor::Parameter value_share{};  // of the first layer's values; without a value: none
};

// What the attention of all layers shares in one forward pass.
struct Positions {
  int64_t num_sequences = 1;
  at::Tensor all{}, windowed{};  // first keys [b, t], without and with the window
  at::Tensor first_values{};     // [n, key width], of the first layer, for those that mix them in
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
        dtype_(arena.values().scalar_type()),
        compute_(precision == config::Precision::bf16 ? at::kBFloat16 : dtype_),
        embed_(arena.find("model.embed_tokens.weight")),
        norm_(arena.find("model.norm.weight")),
        head_(make_head(arena)) {
    if (config.embedding_norm == config::QkNorm::gain) {
      embed_norm_ = arena.find("model.embed_norm.weight");
    } else if (config.embedding_norm == config::QkNorm::no_gain) {
      // A gain of ones that no optimizer knows; nobody reads what its gradient sums to.
      const at::Tensor& usual = norm_.value.detach();
      embed_norm_ = {{}, at::ones_like(usual), at::zeros_like(usual)};
    }
    for (int64_t i = 0; i < config.layers; ++i) layers_.push_back(make_layer(arena, i));
    grow_rotary_tables(config.context);
  }

  at::Tensor forward(const at::Tensor& tokens_bt, const at::Tensor& targets_bt,
                     double z_loss) override {
    ops::LogitOptions options = logit_options();
    options.z_loss = z_loss;
    return ops::cross_entropy(decode(tokens_bt), head_, targets_bt.reshape(-1), options);
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

  bool has_cache() const override {
    return std::all_of(layers_.begin(), layers_.end(), [](const Layer& layer) {
      return !layer.attention.is_masked() && ops::serves_shorter(layer.attention.rotation);
    });
  }

  at::Tensor next_logits(const at::Tensor& tokens_bt, KeyValueCache& cache) override {
    base::check(has_cache(), "a cache for a model that can have none");
    at::NoGradGuard no_grad;
    const int64_t num_sequences = tokens_bt.size(0), num_tokens = tokens_bt.size(1);
    at::Tensor last_bw;
    for (int64_t first = 0; first < num_tokens; first += kCachedTokens) {
      const int64_t count = std::min(kCachedTokens, num_tokens - first);
      const at::Tensor piece_bt = tokens_bt.narrow(1, first, count).contiguous();
      const at::Tensor hidden_nw = decode(piece_bt, {}, &cache);
      last_bw = hidden_nw.view({num_sequences, count, -1}).select(1, count - 1);
      cache.num_positions += count;
    }
    return read_out(last_bw, false);
  }

  at::Tensor token_losses(const at::Tensor& tokens_bt, const at::Tensor& targets_bt) override {
    at::NoGradGuard no_grad;
    return ops::token_cross_entropy(decode(tokens_bt), head_, targets_bt.reshape(-1),
                                    logit_options())
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
  ops::LogitOptions logit_options() const {
    return {.cap = config_.logit_cap, .form = config_.logit_cap_form};
  }

  at::Tensor read_out(const at::Tensor& hidden_nw, bool with_graph) const {
    return ops::head_logits(hidden_nw, head_, logit_options(), with_graph)
        .to(dtype_ == at::kDouble ? at::kDouble : at::kFloat);
  }

  at::Tensor embed(const at::Tensor& tokens_bt) const {
    at::Tensor x_nw = ops::embedding(path_, tokens_bt.reshape(-1), embed_);
    if (config_.embedding_scale != 1.0) x_nw = x_nw * config_.embedding_scale;
    return embed_norm_.value.defined() ? norm(x_nw, embed_norm_, x_nw.scalar_type()) : x_nw;
  }

  // What every layer with these settings sees of the tokens.
  Positions positions(const at::Tensor& tokens_bt) const {
    Positions out{tokens_bt.size(0)};
    for (const Layer& layer : layers_) {
      at::Tensor& first = layer.attention.window ? out.windowed : out.all;
      if (!first.defined()) first = ops::first_keys(tokens_bt, layer.attention);
    }
    return out;
  }

  // The final hidden states [n, w], normed, in the compute dtype. With a cache the tokens follow
  // those that it holds.
  at::Tensor decode(const at::Tensor& tokens_bt, const Observer& observer = {},
                    KeyValueCache* cache = nullptr) {
    base::check(tokens_bt.dim() == 2, "tokens are [b, t]");
    grow_rotary_tables(tokens_bt.size(1) + (cache ? cache->num_positions : 0));
    Positions places = positions(tokens_bt);
    if (cache && cache->keys.empty()) {
      cache->keys.resize(layers_.size());
      cache->values.resize(layers_.size());
    }
    at::Tensor residual_nw = embed(tokens_bt);
    at::Tensor branch_nw, normed_nw;
    for (size_t i = 0; i < layers_.size(); ++i) {
      const Layer& layer = layers_[i];
      const View view{observer, static_cast<int64_t>(i)};
      std::tie(residual_nw, normed_nw) = add_norm(residual_nw, branch_nw, layer.attention_norm);
      branch_nw = after(layer.attention_post_norm, attend(layer, normed_nw, places, view, cache));
      std::tie(residual_nw, normed_nw) = add_norm(residual_nw, branch_nw, layer.ffn_norm);
      branch_nw = after(layer.ffn_post_norm, feed_forward(layer, normed_nw, view));
    }
    return std::get<1>(add_norm(residual_nw, branch_nw, norm_));
  }

  at::Tensor attend(const Layer& layer, const at::Tensor& normed_nw, Positions& places,
                    const View& view, KeyValueCache* cache) {
    const ops::AttentionSpec& spec = layer.attention;
    const int64_t num_sequences = places.num_sequences;
    const at::Tensor& first_keys = spec.window ? places.windowed : places.all;
    view.input(config::Role::q, normed_nw);
    at::Tensor qkv = ops::linear(normed_nw, layer.qkv);
    if (layer.value_share.value.defined()) {
      qkv = ops::mix_values(path_, qkv, places.first_values, layer.value_share, spec.heads);
    } else if (config_.value_residual != config::ValueResidual::none) {
      places.first_values = ops::values_of(qkv, spec.heads);
    }
    const ops::RotaryTable& rotary = rotary_of(spec);
    if (view.observer.max_logit) {
      view.observer.max_logit(view.layer, ops::largest_logit(qkv, num_sequences, spec, rotary,
                                                             layer.head_gains, first_keys));
    }
    if (view.observer.head_logits) {
      view.observer.head_logits(view.layer, ops::largest_logits(qkv, num_sequences, spec, rotary,
                                                                layer.head_gains, first_keys));
    }
    const at::Tensor mixed = cache ? cached_attention(qkv, num_sequences, layer, view.layer, *cache)
                                   : ops::self_attention(path_, qkv, num_sequences, spec, rotary,
                                                         layer.head_gains, first_keys);
    view.input(config::Role::o, mixed);
    return ops::linear(mixed, layer.o);
  }

  at::Tensor cached_attention(const at::Tensor& qkv, int64_t num_sequences, const Layer& layer,
                              int64_t index, KeyValueCache& cache) {
    const auto i = static_cast<size_t>(index);
    return ops::cached_attention(qkv, num_sequences, cache.num_positions, layer.attention,
                                 rotary_of(layer.attention), layer.head_gains,
                                 {cache.keys[i], cache.values[i]});
  }

  at::Tensor feed_forward(const Layer& layer, const at::Tensor& normed_nw, const View& view) const {
    view.input(config::Role::ffn_in, normed_nw);
    const at::Tensor hidden = ops::linear(normed_nw, layer.ffn_in);
    const at::Tensor active = ops::activate(path_, hidden, config_.activation, config_.gated);
    view.input(config::Role::ffn_out, active);
    return ops::linear(active, layer.ffn_out);
  }

  at::Tensor norm(const at::Tensor& x_nw, const tensor::Parameter& gain,
                  at::ScalarType dtype) const {
    return ops::add_norm(path_, x_nw, {}, gain, config_.norm_eps, dtype).normed_nw;
  }

  at::Tensor after(const tensor::Parameter& gain, const at::Tensor& branch_nw) const {
    return gain.value.defined() ? norm(branch_nw.to(dtype_), gain, compute_) : branch_nw;
  }

  std::tuple<at::Tensor, at::Tensor> add_norm(const at::Tensor& residual_nw,
                                              const at::Tensor& branch_nw,
                                              const tensor::Parameter& gain) const {
    ops::Normed out =
        ops::add_norm(path_, residual_nw, branch_nw, gain, config_.norm_eps, compute_);
    return {std::move(out.residual_nw), std::move(out.normed_nw)};
  }

  // The linear maps of these names, each with its bias where they have one.
  ops::StackedWeight maps(tensor::Arena& arena, const std::vector<std::string>& names,
                          bool has_bias) const {
    std::vector<tensor::Parameter> parts, biases;
    for (const std::string& name : names) {
      parts.push_back(arena.find(name + ".weight"));
      if (has_bias) biases.push_back(arena.find(name + ".bias"));
    }
    return ops::StackedWeight(std::move(parts), path_, compute_, 1, std::move(biases));
  }

  ops::StackedWeight make_head(tensor::Arena& arena) const {
    std::vector<tensor::Parameter> biases;
    if (config_.head_bias) biases.push_back(arena.find("lm_head.bias"));
    return ops::StackedWeight(
        {arena.find(config_.tied ? "model.embed_tokens.weight" : "lm_head.weight")}, path_,
        compute_, kHeadRowMultiple, std::move(biases));
  }

  Layer make_layer(tensor::Arena& arena, int64_t index) const {
    const std::string prefix = base::str("model.layers.", index, ".");
    const std::string attention = prefix + "self_attn.", mlp = prefix + "mlp.";
    const config::AttentionBias bias = config_.attention_bias;
    ops::HeadGains head_gains;
    if (config_.qk_norm == config::QkNorm::gain) {
      head_gains.query = arena.find(attention + "q_norm.weight");
      head_gains.key = arena.find(attention + "k_norm.weight");
    }
    std::vector<std::string> ffn_in{mlp + "up_proj"};
    if (config_.gated) ffn_in.insert(ffn_in.begin(), mlp + "gate_proj");
    const auto gain = [&](const char* name) { return arena.find(prefix + name + ".weight"); };
    const bool post = config_.post_norm;
    Layer layer{ops::attention_spec(config_, index),
                gain("input_layernorm"),
                maps(arena, {attention + "q_proj", attention + "k_proj", attention + "v_proj"},
                     bias != config::AttentionBias::none),
                std::move(head_gains),
                maps(arena, {attention + "o_proj"}, bias == config::AttentionBias::all),
                gain(post ? "pre_feedforward_layernorm" : "post_attention_layernorm"),
                maps(arena, ffn_in, config_.ffn_bias),
                maps(arena, {mlp + "down_proj"}, config_.ffn_bias)};
    if (post) {
      layer.attention_post_norm = gain("post_attention_layernorm");
      layer.ffn_post_norm = gain("post_feedforward_layernorm");
    }
    if (index > 0 && config_.learns_values()) {
      layer.value_share = arena.find(attention + "value_residual");
    } else if (index > 0 && config_.value_residual != config::ValueResidual::none) {
      const auto like = arena.values().options().requires_grad(false);
      layer.value_share = {{}, at::full({1}, config_.value_residual_share, like), {}};
    }
    return layer;
  }

  ops::RotaryTable& rotary_of(const ops::AttentionSpec& spec) {
    return spec.window && config_.window_rope_theta ? window_rotary_ : rotary_;
  }

  void grow_rotary_tables(int64_t num_positions) {
    for (const Layer& layer : layers_) {
      const ops::AttentionSpec& spec = layer.attention;
      ops::RotaryTable& table = rotary_of(spec);
      const int64_t made = table.cos_th.defined() ? table.cos_th.size(0) : 0;
      const bool is_enough = made > num_positions && ops::serves_shorter(spec.rotation);
      if (made == num_positions || is_enough) continue;
      table = ops::make_rotary_table(num_positions, spec.heads.head_dim, spec.rotation,
                                     dtype_ == at::kDouble ? at::kDouble : at::kFloat,
                                     embed_.value.device());
    }
  }

  config::ModelConfig config_;
  tensor::Path path_;
  at::ScalarType dtype_, compute_;
  tensor::Parameter embed_, norm_, embed_norm_;
  ops::StackedWeight head_;
  std::vector<Layer> layers_;
  ops::RotaryTable rotary_, window_rotary_;
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
