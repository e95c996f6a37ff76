// muonlab bench: where a step's time goes.
#include <iostream>
#include <memory>

#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "installed.hpp"
#include "muonlab/base/cpu.hpp"
#include "muonlab/base/statistics.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/ops/gemm_rate.hpp"
#include "muonlab/run/session.hpp"
#include "muonlab/tensor/plugin.hpp"
#include "muonlab/tensor/runtime.hpp"
#include "muonlab/train/step.hpp"

namespace muonlab::app {
namespace {

struct BenchOptions {
  std::string config_path = "configs/bench_14m.json";
  std::vector<std::string> settings;
  int64_t steps = 10;
  bool json = false;
};

constexpr int64_t kWarmupSteps = 3;  // on a GPU the third records graphs
constexpr double kPeakProbe_s = 0.5;

// Medians over the timed steps.
struct Result {
  double forward_ms, backward_ms, optimizer_ms, step_ms, tokens_per_s, gemm_gflops, gemm_share,
      peak_rss_mb;
  double gpu_used_mb = 0;  // all that is taken of the GPU's memory, by whomever
};

Result measure(run::Session& session, int64_t steps) {
  train::Trainer& trainer = session.trainer();
  std::vector<double> forward, backward, optimizer, total;
  for (int64_t i = 0; i < steps + kWarmupSteps; ++i) {
    const train::StepRecord record = train::train_step(trainer);
    if (i < kWarmupSteps) continue;
    forward.push_back(1e3 * record.forward_s);
    backward.push_back(1e3 * record.backward_s);
    optimizer.push_back(1e3 * record.optimizer_s);
    total.push_back(1e3 * record.total_s);
  }
  Result result{};
  if (trainer.arena.values().is_cuda()) {
    const tensor::plugin::Gpu gpu = tensor::plugin::gpu();
    result.gpu_used_mb = static_cast<double>(gpu.total_bytes - gpu.free_bytes) / 1e6;
  }
  result.peak_rss_mb = static_cast<double>(base::peak_rss_bytes()) / 1e6;
  result.forward_ms = base::median(forward);
  result.backward_ms = base::median(backward);
  result.optimizer_ms = base::median(optimizer);
  result.step_ms = base::median(total);
  result.tokens_per_s = 1e3 * static_cast<double>(trainer.plan.tokens_per_step) / result.step_ms;
  result.gemm_gflops = ops::gemm_peak_gflops(trainer.config.precision, kPeakProbe_s,
                                             trainer.arena.values().device());
  result.gemm_share =
      result.tokens_per_s * trainer.model.flops_per_token() / (result.gemm_gflops * 1e9);
  return result;
}

void print(const Result& result, const train::Plan& plan) {
  const auto row = [&](const char* name, double ms) {
    std::cout << base::pad_right(name, 12) << base::pad_left(base::fixed(ms, 1), 9) << " ms  "
              << base::pad_left(base::fixed(100 * ms / result.step_ms, 0), 3) << " %\n";
  };
  row("forward", result.forward_ms);
  row("backward", result.backward_ms);
  row("optimizer", result.optimizer_ms);
  row("step", result.step_ms);
  std::cout << base::with_commas(static_cast<int64_t>(result.tokens_per_s)) << " tokens/s ("
            << base::with_commas(plan.tokens_per_step) << " tokens a step), "
            << base::fixed(100 * result.gemm_share, 0) << " % of the GEMM rate measured ("
            << base::fixed(result.gemm_gflops, 0) << " GFLOP/s), peak memory "
            << base::fixed(result.gpu_used_mb > 0 ? result.gpu_used_mb : result.peak_rss_mb, 0)
            << " MB (estimated " << base::fixed(static_cast<double>(plan.memory_bytes) / 1e6, 0)
            << " MB)\n";
}

}  // namespace

void add_bench(CLI::App& app, Exit&) {
  CLI::App* command = app.add_subcommand(
      "bench", R"(Time training steps: forward pass, backward pass and optimizer separately.

  muonlab bench configs/bench_14m.json
  muonlab bench configs/bench_14m.json --set precision=fp32 --json)");
  auto options = std::make_shared<BenchOptions>();
  command->add_option("CONFIG", options->config_path, "the configuration file")
      ->capture_default_str();
  command
      ->add_option("--set", options->settings, "override one setting of the file; may be repeated")
      ->type_name("PATH=VALUE")
      ->allow_extra_args(false);
  command->add_option("--steps", options->steps, "timed steps, after three to warm up")
      ->capture_default_str()
      ->check(at_least(1));
  command->add_flag("--json", options->json, "print one JSON object");
  command->callback([options] {
    config::LoadedConfig loaded =
        config::load_config(find_installed(options->config_path), options->settings);
    loaded.run.train.batch_ramp.clear();  // the batch that a run ends with is timed
    tensor::start_runtime(loaded.run.threads.value_or(base::usable_processors()));
    run::Session session(run::prepare(loaded.run));
    const Result result = measure(session, options->steps);
    const double estimate_mb = static_cast<double>(session.prepared().plan.memory_bytes) / 1e6;
    if (options->json) {
      std::cout << nlohmann::ordered_json{{"tokens_per_s", result.tokens_per_s},
                                          {"forward_ms", result.forward_ms},
                                          {"backward_ms", result.backward_ms},
                                          {"optimizer_ms", result.optimizer_ms},
                                          {"step_ms", result.step_ms},
                                          {"gemm_gflops", result.gemm_gflops},
                                          {"gemm_share", result.gemm_share},
                                          {"peak_rss_mb", result.peak_rss_mb},
                                          {"gpu_used_mb", result.gpu_used_mb},
                                          {"memory_estimate_mb", estimate_mb}}
                       .dump()
                << "\n";
    } else {
      print(result, session.prepared().plan);
    }
  });
}

}  // namespace muonlab::app
