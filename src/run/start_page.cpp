#include "start_page.hpp"

#include <nlohmann/json.hpp>

#include "muonlab/base/cpu.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/tensor/runtime.hpp"

namespace muonlab::run {
namespace {

using base::human_count;
using base::with_commas;

std::string model_line(const config::ModelConfig& model) {
  std::string heads = base::str(model.heads, " heads");
  if (*model.kv_heads != model.heads) heads += base::str(" (", *model.kv_heads, " key-value)");
  const std::string ffn = base::str(model.gated ? "gated " : "plain ", *model.ffn_width);
  return base::str("llama  ", model.layers, " layers, width ", model.width, ", ", heads, ", ", ffn, ", context ",
                   model.context);
}

std::string plan_line(const config::RunConfig& config, const train::Plan& plan) {
  const std::string shape = plan.num_micro_batches == 1
                                ? base::str(plan.batch, " x ", plan.context)
                                : base::str(plan.num_micro_batches, " x ", plan.micro_batch, " x ", plan.context);
  const char* precision = config.precision == config::Precision::bf16 ? "bf16" : "fp32";
  const char* device = config.device == config::Device::cuda ? ", cuda" : "";
  return base::str(with_commas(plan.steps), " steps of ", with_commas(plan.tokens_per_step), " tokens (", shape, "), ",
                   precision, ", ", *config.threads, *config.threads == 1 ? " thread" : " threads", device);
}

}  // namespace

std::string start_page(const Prepared& prepared) {
  const config::RunConfig& config = prepared.config;
  const train::Plan& plan = prepared.plan;
  constexpr size_t kLeft = 82;
  const auto row = [](const std::string& label, const std::string& left, const std::string& right) {
    const std::string start = base::pad_right(label, 9);
    return right.empty() ? start + left + "\n" : start + base::pad_right(left, kLeft) + "  " + right + "\n";
  };
  std::string page;
  page += row("model", model_line(config.model),
              base::str(human_count(static_cast<double>(plan.num_parameters)), " parameters, ",
                        human_count(static_cast<double>(plan.num_matrix_parameters)), " in matrices"));
  page += row("data", prepared.data.description, "");
  page += row("plan", plan_line(config, plan),
              base::str(human_count(static_cast<double>(plan.steps * plan.tokens_per_step)), " tokens, ",
                        base::significant(plan.epochs, 3), " epochs"));
  page += row("memory", base::str("about ", base::human_bytes(static_cast<uint64_t>(plan.memory_bytes))), "");
  return page + "\n" + optim::routing_table(prepared.routing, config);
}

std::string build_json(const Prepared& prepared) {
  const tensor::LibtorchInfo libtorch = tensor::libtorch_info();
  const nlohmann::ordered_json json{
      {"muonlab", MUONLAB_VERSION},
      {"commit", MUONLAB_COMMIT},
      {"compiler", base::str("g++ ", __VERSION__)},
      {"libtorch", libtorch.version},
      {"processor", base::cpu_model()},
      {"instruction_sets", base::isa_summary()},
      {"device", prepared.config.device == config::Device::cuda ? "cuda" : "cpu"},
      {"threads", *prepared.config.threads}};
  return json.dump(2) + "\n";
}

}  // namespace muonlab::run
