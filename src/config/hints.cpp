#include "config/hints.hpp"

#include <algorithm>
#include <cctype>

#include "config/reader.hpp"
#include "muonlab/config/load.hpp"

namespace muonlab::config {

namespace {

struct WellKnown {
  std::string_view setting;  // NAME stands for any optimizer's name
  std::vector<std::string_view> names;
  std::string_view remark = "";
};

const std::vector<WellKnown>& well_known() {
  static const std::vector<WellKnown> kNames{
      {"optimizers.NAME.lr", {"learning_rate", "max_lr", "peak_lr", "base_lr"}},
      {"optimizers.NAME.decay", {"weight_decay", "wd", "adam_weight_decay"}},
      {"optimizers.NAME.betas", {"beta1", "beta2", "adam_beta1", "adam_beta2", "b1", "b2"}},
      {"optimizers.NAME.eps", {"epsilon", "adam_eps", "adam_epsilon"}},
      {"optimizers.NAME.steps", {"ns_steps", "newton_schulz_steps", "backend_steps"}},
      {"optimizers.NAME.orthogonalizer", {"ns_coefficients", "backend"}},
      {"optimizers.NAME.cautious", {"cautious_weight_decay", "cautious_wd"}},
      {"optimizers.NAME.scale", {"adjust_lr_fn", "adjust_lr", "lr_scale"}},
      {"schedule.warmup", {"warmup_steps", "warmup_iters", "num_warmup_steps", "lr_warmup_steps"}},
      {"schedule.warmup_fraction", {"warmup_ratio"}},
      {"schedule.final",
       {"min_lr", "min_lr_ratio", "final_lr", "eta_min", "end_lr"},
       "It is a share of the learning rate."},
      {"schedule.decay_fraction",
       {"decay_steps", "decay_iters", "cooldown", "cooldown_frac", "lr_decay_iters"},
       "It is a share of the run."},
      {"train.average", {"ema", "weight_averaging", "swa", "tail_ema"}},
      {"schedule.kind", {"lr_scheduler_type", "lr_schedule", "lr_scheduler", "scheduler"}},
      {"train.steps",
       {"max_steps", "max_iters", "num_steps", "num_iterations", "total_steps", "train_steps",
        "n_steps", "iterations", "iters"}},
      {"train.seconds", {"max_seconds", "time_budget", "train_seconds", "time_limit"}},
      {"train.epochs", {"num_train_epochs", "num_epochs", "max_epochs", "n_epochs"}},
      {"train.tokens", {"max_tokens", "num_tokens", "total_tokens", "train_tokens"}},
      {"train.batch",
       {"batch_size", "global_batch_size", "train_batch_size", "per_device_train_batch_size"}},
      {"train.batch_ramp", {"rampup_batch_size", "batch_size_warmup", "batch_size_schedule"}},
      {"model.window_rope_theta", {"rope_local_base_freq", "local_rope_theta"}},
      {"train.micro_batch", {"micro_batch_size", "device_batch_size", "mbs"}},
      {"train.micro_batch",
       {"gradient_accumulation_steps", "grad_accum_steps", "grad_accumulation_steps",
        "accumulate_grad_batches"},
       "A step takes batch / micro_batch of them."},
      {"train.clip",
       {"grad_clip", "max_grad_norm", "clip_grad_norm", "gradient_clip_val", "clip_grad",
        "gradient_clipping"}},
      {"eval.every", {"eval_interval", "eval_steps", "eval_every", "val_interval"}},
      {"eval.samples", {"eval_iters", "eval_samples", "eval_batches"}},
      {"checkpoint.every", {"save_steps", "save_interval", "save_every", "checkpoint_interval"}},
      {"checkpoint.keep", {"save_total_limit", "keep_last", "max_checkpoints"}},
      {"checkpoint.best", {"load_best_model_at_end", "save_best", "keep_best"}},
      {"model.layers",
       {"n_layer", "n_layers", "num_layers", "num_hidden_layers", "depth", "num_blocks"}},
      {"model.width",
       {"n_embd", "hidden_size", "d_model", "dim", "model_dim", "embed_dim", "hidden_dim"}},
      {"model.heads", {"n_head", "n_heads", "num_heads", "num_attention_heads"}},
      {"model.kv_heads", {"n_kv_head", "n_kv_heads", "num_kv_heads", "num_key_value_heads"}},
      {"model.ffn_width", {"intermediate_size", "d_ff", "ffn_dim", "ffn_hidden_size", "mlp_dim"}},
      {"model.activation", {"hidden_act", "act_fn", "activation_function"}},
      {"model.tied", {"tie_word_embeddings", "tie_embeddings", "weight_tying"}},
      {"model.context",
       {"block_size", "max_position_embeddings", "seq_len", "seq_length", "sequence_length",
        "max_seq_len", "max_seq_length", "context_length", "n_positions"}},
      {"model.vocabulary", {"vocab_size", "n_vocab"}},
      {"data.tokenizer.vocabulary", {"vocab_size", "n_vocab"}},
      {"model.norm_eps", {"rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon"}},
      {"model.rope_theta", {"rope_base", "rotary_base"}},
      {"model.init.std", {"initializer_range", "init_std"}},
      {"model.qk_norm", {"qk_layernorm", "use_qk_norm"}},
      {"threads", {"num_threads", "num_workers", "n_threads"}},
      {"precision", {"dtype", "torch_dtype", "bf16", "fp16", "mixed_precision", "amp"}},
      {"seed", {"random_seed", "data_seed"}}};
  return kNames;
}

std::string bare(std::string_view path) {  // without conditions and indices
  std::string out;
  int depth = 0;
  for (char c : path) {
    if (c == '[') ++depth;
    if (depth == 0) out += c;
    if (c == ']') --depth;
  }
  return out;
}

// The section as the tables name it: an optimizer's name is NAME, its own schedule is a schedule.
std::string section_of(std::string_view path) {
  std::vector<std::string> steps = base::split(bare(path), '.');
  if (steps.size() > 1 && steps.front() == "optimizers") steps[1] = "NAME";
  if (steps.size() > 2 && steps[2] == "schedule") steps.erase(steps.begin(), steps.begin() + 2);
  return base::join(steps, ".");
}

std::string leaf_of(std::string_view setting) {
  return std::string(setting.substr(setting.rfind('.') + 1));
}

std::string plain_key(std::string_view key) {
  std::string out(key);
  for (char& c : out) c = c == '-' ? '_' : static_cast<char>(std::tolower(c));
  return out;
}

}  // namespace

std::string key_hint(std::string_view path, std::string_view key,
                     const std::vector<std::string>& known) {
  const auto has = [&](const std::string& name) {
    return std::find(known.begin(), known.end(), name) != known.end();
  };
  const auto meant = [](std::string_view name, std::string_view remark = "") {
    return base::str("; did you mean ", quote(name), "?", remark.empty() ? "" : " ", remark);
  };
  const std::string section = section_of(path), name = plain_key(key);
  const WellKnown* elsewhere_known = nullptr;
  for (const WellKnown& row : well_known()) {
    if (std::find(row.names.begin(), row.names.end(), name) == row.names.end()) continue;
    const std::string leaf = leaf_of(row.setting);
    const bool here = child_path(section, leaf) == row.setting;
    if (here && has(leaf)) return meant(leaf, row.remark);
    if (!here && !elsewhere_known) elsewhere_known = &row;
  }
  if (elsewhere_known) return meant(elsewhere_known->setting, elsewhere_known->remark);
  if (const std::string near = suggestion(key, known); !near.empty()) return near;
  std::vector<std::string> elsewhere;
  for (const SettingRow& row : config_table()) {
    const std::string setting = bare(row.path);
    if (leaf_of(setting) != name) continue;
    if (std::find(elsewhere.begin(), elsewhere.end(), setting) == elsewhere.end())
      elsewhere.push_back(setting);
  }
  if (elsewhere.size() == 1) return meant(elsewhere.front());
  return elsewhere.empty() ? "" : "; settings of that name: " + base::join(elsewhere, " ");
}

}  // namespace muonlab::config
