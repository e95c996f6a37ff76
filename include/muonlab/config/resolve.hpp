// Filling in what a configuration leaves open.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "muonlab/config/error.hpp"
#include "muonlab/config/run.hpp"

namespace muonlab::config {

// The shape behind "size"; absent for an unknown name.
std::optional<ModelConfig> named_size(std::string_view name);
std::vector<std::string> size_names();

// Sets what is absent: from and size (their shape under every field that differs from its default),
// kv_heads = heads, head_dim = width / heads, ffn_width = 8/3 width to the nearest integer (gated)
// or 4 width (plain). Leaves an absent vocabulary absent. For configurations built in code;
// load_config does all of this by itself.
ModelConfig resolve(ModelConfig model);

// The same for a run: the model; its vocabulary where the tokenizer's is known beforehand; threads
// = the processors this process may use; micro_batch = the largest divisor of batch up to 8; steps
// of muon. Then checks everything as load_config does; throws ConfigError.
RunConfig resolve(RunConfig run);

// Steps of a run that starts now, where the configuration alone says them: absent for a length in
// epochs.
std::optional<int64_t> known_steps(const RunConfig& run);

// The schedule an optimizer follows: its own or the run's, with the optimizer's decay_fraction, and
// with lengths in tokens as the steps that take so many tokens.
ScheduleConfig schedule_of(const RunConfig& run, const OptimizerConfig& optimizer);

// Warm-ups and decays that do not fit into so many steps. Loading a file checks this as far as
// known_steps goes; for epochs, and where a run is resumed with another batch, only the plan knows
// the steps.
std::vector<Problem> schedule_problems(const RunConfig& run, int64_t steps);

// Token ids of the corpus where the configuration alone says it: byte 257, bpe its vocabulary; else
// absent (a sentencepiece file, shards).
std::optional<int64_t> known_vocabulary(const DataConfig& data);

}  // namespace muonlab::config
