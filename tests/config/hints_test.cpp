// Names that users bring along from PyTorch, Hugging Face and nanoGPT lead to our settings.
#include "config/support.hpp"

namespace muonlab::config {
namespace {

TEST(Hints, NamesFromElsewhereLeadToOurs) {
  const struct {
    const char* more;  // members beside train, with a $ before the place
    const char* error;
  } cases[] = {
      {R"("optimizers": {"adam": {"rule": "adamw", $"weight_decay": 0.1}})",
       R"(optimizers.adam: unknown key "weight_decay" for the rule "adamw"; did you mean "decay"?)"},
      {R"("optimizers": {"adam": {"rule": "adamw", $"learning_rate": 0.1}})",
       R"(optimizers.adam: unknown key "learning_rate" for the rule "adamw"; did you mean "lr"?)"},
      {R"($"weight-decay": 0.1)",
       R"(unknown key "weight-decay"; did you mean "optimizers.NAME.decay"?)"},
      {R"($"learning_rate": 0.1)",
       R"(unknown key "learning_rate"; did you mean "optimizers.NAME.lr"?)"},
      {R"($"lr": 0.1)", R"(unknown key "lr"; did you mean "optimizers.NAME.lr"?)"},
      {R"("schedule": {"kind": "cosine", $"warmup_steps": 3})",
       R"(schedule: unknown key "warmup_steps" for the kind "cosine"; did you mean "warmup"?)"},
      {R"("schedule": {"kind": "cosine", $"min_lr": 0.1})",
       R"(schedule: unknown key "min_lr" for the kind "cosine"; did you mean "final"? It is a share of the learning rate.)"},
      {R"("optimizers": {"adam": {"rule": "adamw", "schedule": {"kind": "linear", $"warmup_iters": 3}}})",
       R"(optimizers.adam.schedule: unknown key "warmup_iters" for the kind "linear"; did you mean "warmup"?)"},
      {R"("model": {$"hidden_size": 64})",
       R"(model: unknown key "hidden_size"; did you mean "width"?)"},
      {R"($"max_grad_norm": 1)", R"(unknown key "max_grad_norm"; did you mean "train.clip"?)"},
      {R"("data": {"tokenizer": {"kind": "bpe", $"vocab_size": 400}})",
       R"(data.tokenizer: unknown key "vocab_size" for the kind "bpe"; did you mean "vocabulary"?)"},
      {R"("model": {$"vocab_size": 400})",
       R"(model: unknown key "vocab_size"; did you mean "vocabulary"?)"},
      {R"($"every": 4)",
       R"(unknown key "every"; settings of that name: eval.every checkpoint.every probes.spectra.every probes.tail.every probes.sharpness.every probes.token_rows.every)"}};
  for (const auto& c : cases) {
    expect_error(std::string("{") + c.more + ",\n\"train\": {\"steps\": 9}}", c.error);
  }
}

// A hint that leads to no setting would be worse than none.
TEST(Hints, LeadToSettings) {
  for (const char* name : {"weight_decay",
                           "lr",
                           "beta1",
                           "epsilon",
                           "ns_steps",
                           "backend",
                           "adjust_lr",
                           "warmup_steps",
                           "min_lr",
                           "decay_iters",
                           "lr_scheduler_type",
                           "max_steps",
                           "num_epochs",
                           "max_tokens",
                           "batch_size",
                           "micro_batch_size",
                           "grad_accum_steps",
                           "grad_clip",
                           "eval_interval",
                           "eval_iters",
                           "save_steps",
                           "save_total_limit",
                           "save_best",
                           "n_layer",
                           "n_embd",
                           "n_head",
                           "n_kv_head",
                           "d_ff",
                           "hidden_act",
                           "tie_embeddings",
                           "block_size",
                           "vocab_size",
                           "rms_norm_eps",
                           "rope_base",
                           "init_std",
                           "qk_layernorm",
                           "num_threads",
                           "dtype",
                           "random_seed"}) {
    const std::string line = errors(minimal("\"" + std::string(name) + "\": 1")).front();
    const size_t at = line.find("did you mean \"");
    ASSERT_NE(at, std::string::npos) << line;
    const size_t from = at + 14;
    const std::string setting = line.substr(from, line.find('"', from) - from);
    EXPECT_FALSE(explain_setting(setting).empty()) << line;
  }
}

}  // namespace
}  // namespace muonlab::config
