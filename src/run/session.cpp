#include "muonlab/run/session.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>

#include "load_model.hpp"
#include "muonlab/base/cpu.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/log.hpp"
#include "muonlab/config/resolve.hpp"
#include "muonlab/ops/attention_choice.hpp"
#include "muonlab/record/open_checkpoint.hpp"
#include "muonlab/tensor/plugin.hpp"
#include "muonlab/tensor/runtime.hpp"
#include "muonlab/train/checkpoint.hpp"
#include "muonlab/train/tail_probe.hpp"

namespace muonlab::run {
namespace {

void complete_vocabulary(config::RunConfig& config, int64_t tokenizer_vocabulary) {
  std::optional<int64_t>& vocabulary = config.model.vocabulary;
  if (!vocabulary) vocabulary = tokenizer_vocabulary;
  if (*vocabulary < tokenizer_vocabulary) {
    throw config::ConfigError(
        {{"", "model.vocabulary",
          base::str(*vocabulary, " is less than the tokenizer's ", tokenizer_vocabulary,
                    " ids; leave it out to take the tokenizer's")}});
  }
}

// The exam comes first at step 0: a question that does not fit is found before anything is made.
void check_tail(const config::RunConfig& config, const data::Dataset& data) {
  if (!config.probes.tail) return;
  try {
    train::tail_exam(config, data);
  } catch (const base::Error& error) {
    throw config::ConfigError({{"", "probes.tail", error.what()}});
  }
}

}  // namespace

config::Precision usable_precision(const config::RunConfig& config) {
  constexpr std::array<const char*, 3> kProducts{"avx512_bf16", "amx_bf16", "bf16"};
  const bool native = std::any_of(kProducts.begin(), kProducts.end(), base::has_instruction_set);
  if (config.precision != config::Precision::bf16 || config.device == config::Device::cuda ||
      native)
    return config.precision;
  return config::Precision::fp32;
}

tensor::Place decide_place(config::RunConfig& config) {
  const tensor::Place place = tensor::choose_place(config.device, config.kernels);
  config.device = place.device.is_cpu() ? config::Device::cpu : config::Device::cuda;
  if (const config::Precision usable = usable_precision(config); usable != config.precision) {
    base::log_info("precision  fp32 instead of bf16, for which this processor has no instructions");
    config.precision = usable;
  }
  return place;
}

int64_t usual_threads(int processes_here) {
  return std::max(1, base::usable_processors() / processes_here);
}

uint64_t usable_bytes(const Prepared& prepared) {
  return prepared.place.device.is_cpu()
             ? base::usable_memory_bytes() / static_cast<uint64_t>(prepared.processes_here)
             : static_cast<uint64_t>(tensor::plugin::gpu().free_bytes);
}

bool is_estimated(const tensor::Place& place) {
  return place.device.is_cpu() || place.path == tensor::Path::cuda;
}

void check_memory(const Prepared& prepared) {
  if (is_estimated(prepared.place))
    train::check_memory(prepared.plan, prepared.config, usable_bytes(prepared));
}

namespace {

// What does not depend on the data.
Prepared begin(const config::RunConfig& asked, int processes_here, int processes) {
  Prepared prepared{.config = asked,
                    .place = {at::kCPU, tensor::Path::cpu},
                    .data = {},
                    .plan = {},
                    .routing = {}};
  prepared.processes = processes;
  prepared.processes_here = processes_here;
  config::RunConfig& config = prepared.config;
  if (!config.threads) config.threads = usual_threads(processes_here);
  prepared.place = decide_place(config);
  if (!config.eval.windows) config.eval.windows = config::EvalWindows::spread;
  return prepared;
}

// The micro-batch, the plan and the routing. REQUIRES: a vocabulary.
void decide(Prepared& prepared, int64_t samples_per_epoch, int64_t validation_windows) {
  config::RunConfig& config = prepared.config;
  config::TrainConfig& train = config.train;
  prepared.chose_micro_batch = train.micro_batch == config::kAutomatic;
  if (prepared.chose_micro_batch && !is_estimated(prepared.place)) {
    throw base::Error("train.micro_batch: \"auto\" knows no estimate of the memory that the ",
                      "reference kernels take on a GPU; set a number");
  }
  if (prepared.chose_micro_batch)
    train::choose_micro_batch(config, usable_bytes(prepared), prepared.processes);
  if (!train.accumulates()) train.reduction.reset();
  if (train.accumulates() && !train.reduction) train.reduction = config::Reduction::exact;
  prepared.plan = train::make_plan(config, samples_per_epoch, validation_windows);
  prepared.routing = optim::route(config::parameter_specs(config.model), config);
}

}  // namespace

Prepared prepare(const config::RunConfig& asked, int processes_here, int processes) {
  Prepared prepared = begin(asked, processes_here, processes);
  config::RunConfig& config = prepared.config;
  prepared.data = data::open_dataset(config.data, config.model.context, config.seed);
  complete_vocabulary(config, prepared.data.tokenizer->vocabulary());
  check_tail(config, prepared.data);
  decide(prepared, prepared.data.train->samples_per_epoch(),
         prepared.data.valid->samples_per_epoch());
  check_memory(prepared);
  if (prepared.place.path == tensor::Path::cuda)
    prepared.attention = ops::choose_gpu_attention(config, prepared.place.device);
  return prepared;
}

Prepared outline(const config::RunConfig& asked) {
  Prepared prepared = begin(asked, 1, 1);
  config::RunConfig& config = prepared.config;
  try {
    prepared.data = data::open_dataset(config.data, config.model.context, config.seed);
  } catch (const base::Error& error) {
    if (!config.model.vocabulary || config.train.epochs || config.train.seconds) throw;
    prepared.data.description = base::str("missing: ", error.what());
    decide(prepared, 1, config.eval.samples);
    prepared.plan.epochs = std::numeric_limits<double>::quiet_NaN();
    return prepared;
  }
  complete_vocabulary(config, prepared.data.tokenizer->vocabulary());
  check_tail(config, prepared.data);
  decide(prepared, prepared.data.train->samples_per_epoch(),
         prepared.data.valid->samples_per_epoch());
  return prepared;
}

void check_with_data(const config::RunConfig& asked) {
  config::RunConfig config = asked;
  const data::Dataset data = data::open_dataset(config.data, config.model.context, config.seed);
  complete_vocabulary(config, data.tokenizer->vocabulary());
  check_tail(config, data);
  std::vector<config::Problem> problems =
      config::schedule_problems(config, train::make_plan(config, data).steps);
  if (!problems.empty()) throw config::ConfigError(std::move(problems));
}

Session::Session(Prepared prepared)
    : prepared_(std::move(prepared)),
      arena_(prepared_.routing.specs, prepared_.routing.order, at::kFloat, prepared_.place.device),
      model_(model::make_llama(prepared_.config.model, prepared_.config.precision,
                               prepared_.place.path, arena_)),
      optimizer_(prepared_.routing, prepared_.config, arena_, prepared_.place.path),
      trainer_{prepared_.config,
               prepared_.plan,
               prepared_.data,
               arena_,
               *model_,
               optimizer_,
               prepared_.routing,
               {},
               prepared_.place.path} {
  model::initialize(prepared_.config.model, prepared_.config.seed, arena_);
  model_->weights_changed();
}

void Session::continue_mixture() {
  const auto* shards = std::get_if<config::ShardsConfig>(&prepared_.config.data);
  const std::vector<double> weights = shards ? shards->weights : std::vector<double>{};
  train::TrainState& state = trainer_.state;
  std::vector<data::MixtureStretch>& mixture = state.mixture;
  if (!mixture.empty() && mixture.back().weights.size() != weights.size()) mixture.clear();
  if (weights.empty()) return;
  if (mixture.empty() || mixture.back().weights != weights) {
    if (!mixture.empty() && mixture.back().from_sample == state.next_sample) mixture.pop_back();
    mixture.push_back({state.next_sample, weights});
  }
  prepared_.data.train = data::make_mixture(prepared_.data.parts, mixture);
}

namespace {

// choose(configuration) decides where to compute.
template <class Choose>
LoadedModel load_where(const std::string& run_or_checkpoint, Choose choose) {
  const train::SavedState saved(record::open_checkpoint(run_or_checkpoint));
  LoadedModel loaded;
  loaded.config = saved.trainer.config;
  const tensor::Place place = choose(loaded.config);
  loaded.state = saved.trainer.state;
  loaded.data_identity = saved.trainer.data_identity;
  tensor::start_runtime(loaded.config.threads.value_or(base::usable_processors()));
  loaded.tokenizer = data::load_tokenizer(saved.checkpoint.path());
  const std::vector<config::ParameterSpec> specs = config::parameter_specs(loaded.config.model);
  std::vector<size_t> order(specs.size());
  std::iota(order.begin(), order.end(), size_t{0});
  loaded.arena = std::make_unique<tensor::Arena>(specs, order, at::kFloat, place.device);
  train::load_weights(saved.checkpoint, loaded.config.model, *loaded.arena);
  loaded.is_average = train::load_average(saved.checkpoint, *loaded.arena);
  loaded.model =
      model::make_llama(loaded.config.model, loaded.config.precision, place.path, *loaded.arena);
  loaded.model->weights_changed();
  return loaded;
}

}  // namespace

LoadedModel load_model(const std::string& checkpoint, config::Device device) {
  const auto choose = [&](config::RunConfig& config) {
    config.device = device;
    return decide_place(config);
  };
  if (is_model_folder(checkpoint)) return load_foreign_model(checkpoint, choose);
  return load_where(checkpoint, choose);
}

LoadedModel load_model(const std::string& checkpoint, const tensor::Place& place) {
  const auto choose = [&](const config::RunConfig&) { return place; };
  if (is_model_folder(checkpoint)) return load_foreign_model(checkpoint, choose);
  return load_where(checkpoint, choose);
}

}  // namespace muonlab::run
