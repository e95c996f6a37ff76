// Times the operations of a decoder, forward and backward, and a whole step of the model without
// its optimizer:
//   muonlab_ops_bench [bf16|fp32] [fused|reference] [threads] [layers width heads kv_heads
//   ffn_width vocabulary batch context]
//
// Prints the least wall and processor time of several repetitions; on a busy machine the processor
// time divided by the threads is the better figure.
#include <malloc.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "muonlab/model/model.hpp"
#include "muonlab/ops/activation.hpp"
#include "muonlab/ops/attention.hpp"
#include "muonlab/ops/cross_entropy.hpp"
#include "muonlab/ops/embedding.hpp"
#include "muonlab/ops/linear.hpp"
#include "muonlab/ops/rms_norm.hpp"

namespace {

using namespace muonlab;

constexpr int kRepetitions = 8;

double wall_ms() {
  return std::chrono::duration<double, std::milli>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}
double cpu_ms() { return 1e3 * static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

struct Times {
  double wall = 1e300;
  double cpu = 1e300;
  void add(double wall_start, double cpu_start) {
    wall = std::min(wall, wall_ms() - wall_start);
    cpu = std::min(cpu, cpu_ms() - cpu_start);
  }
};

void print(const std::string& what, const Times& forward, const Times& backward) {
  std::printf("%-34s %9.2f %9.2f %11.2f %9.2f\n", what.c_str(), forward.wall, forward.cpu,
              backward.wall, backward.cpu);
}

// f makes fresh inputs (not timed), g maps them to an output that is sent backward.
void time_op(const std::string& what, const std::function<at::Tensor()>& input,
             const std::function<at::Tensor(const at::Tensor&)>& op) {
  Times forward, backward;
  for (int i = 0; i < kRepetitions; ++i) {
    const at::Tensor x = input();
    double wall = wall_ms(), cpu = cpu_ms();
    const at::Tensor y = op(x);
    forward.add(wall, cpu);
    const at::Tensor d_y = at::ones_like(y);
    wall = wall_ms(), cpu = cpu_ms();
    y.backward(d_y);
    backward.add(wall, cpu);
  }
  print(what, forward, backward);
}

tensor::Arena make_arena(const config::ModelConfig& model) {
  const auto specs = config::parameter_specs(model);
  std::vector<size_t> order(specs.size());
  std::iota(order.begin(), order.end(), size_t{0});
  return tensor::Arena(specs, order);
}

struct Setting {
  config::ModelConfig model;
  config::Precision precision = config::Precision::bf16;
  tensor::Path path = tensor::Path::cpu;
  int64_t batch = 8;
  at::ScalarType compute() const {
    return precision == config::Precision::bf16 ? at::kBFloat16 : at::kFloat;
  }
};

void time_ops(const Setting& setting) {
  const config::ModelConfig& model = setting.model;
  const tensor::Path path = setting.path;
  const at::ScalarType compute = setting.compute();
  tensor::Arena arena = make_arena(model);
  model::initialize(model, 1, arena);
  const int64_t n = setting.batch * model.context, w = model.width;
  const ops::AttentionSpec attention = ops::attention_spec(model, 0);
  const auto random = [&](int64_t width, at::ScalarType dtype) {
    return [=] { return at::randn({n, width}).to(dtype).set_requires_grad(true); };
  };
  const auto weight = [&](std::vector<std::string> names, int64_t multiple = 1) {
    std::vector<tensor::Parameter> parts;
    for (const std::string& name : names) parts.push_back(arena.find(name));
    return ops::StackedWeight(parts, path, compute, multiple);
  };
  const std::string layer = "model.layers.0.";
  const auto time_linear = [&](const std::string& what, const ops::StackedWeight& weight) {
    time_op(what, random(weight.columns(), compute),
            [&](const at::Tensor& x) { return ops::linear(x, weight); });
  };
  const auto qkv = weight({layer + "self_attn.q_proj.weight", layer + "self_attn.k_proj.weight",
                           layer + "self_attn.v_proj.weight"});
  time_linear("linear qkv", qkv);
  time_linear("linear o", weight({layer + "self_attn.o_proj.weight"}));
  time_linear("linear ffn in + gate",
              weight({layer + "mlp.gate_proj.weight", layer + "mlp.up_proj.weight"}));
  time_linear("linear ffn out", weight({layer + "mlp.down_proj.weight"}));

  const tensor::Parameter& gain = arena.find(layer + "input_layernorm.weight");
  const at::Tensor branch = random(w, compute)();
  time_op("residual + norm", random(w, at::kFloat), [&](const at::Tensor& x) {
    const ops::Normed out = ops::add_norm(path, x, branch, gain, 1e-5, compute);
    return out.normed_nw;
  });
  const ops::RotaryTable rotary = ops::make_rotary_table(
      model.context, attention.heads.head_dim, attention.rotation.theta, at::kFloat, at::kCPU);
  time_op("self attention", random(attention.heads.packed_width(), compute),
          [&](const at::Tensor& x) {
            return ops::self_attention(path, x * 1, setting.batch, attention, rotary, {});
          });
  time_op("activation", random(2 * *model.ffn_width, compute),
          [&](const at::Tensor& x) { return ops::activate(path, x, model.activation, true); });
  const at::Tensor tokens = at::randint(*model.vocabulary, {n}, at::kLong);
  time_op(
      "embedding", [&] { return tokens; },
      [&](const at::Tensor& x) {
        return ops::embedding(path, x, arena.find("model.embed_tokens.weight"));
      });
  const auto head = weight({"lm_head.weight"}, 64);
  time_op("head + cross-entropy", random(w, compute),
          [&](const at::Tensor& x) { return ops::cross_entropy(x, head, tokens); });
}

void time_model(const Setting& setting) {
  tensor::Arena arena = make_arena(setting.model);
  model::initialize(setting.model, 1, arena);
  const auto llama = model::make_llama(setting.model, setting.precision, setting.path, arena);
  const at::Tensor tokens =
      at::randint(*setting.model.vocabulary, {setting.batch, setting.model.context}, at::kLong);
  Times forward, backward, refresh;
  for (int i = 0; i < kRepetitions; ++i) {
    double wall = wall_ms(), cpu = cpu_ms();
    const at::Tensor loss = llama->forward(tokens, tokens);
    forward.add(wall, cpu);
    wall = wall_ms(), cpu = cpu_ms();
    model::backward(loss, 1.0);
    backward.add(wall, cpu);
    wall = wall_ms(), cpu = cpu_ms();
    llama->weights_changed();
    refresh.add(wall, cpu);
  }
  print("model", forward, backward);
  print("weights changed", refresh, Times{0, 0});
  const double gflop = llama->flops_per_token() * static_cast<double>(tokens.numel()) / 1e9;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf("%.1f GFLOP, %.0f GFLOP/s by wall time, peak memory %.0f MB\n", gflop,
              gflop / (forward.wall + backward.wall) * 1e3,
              static_cast<double>(usage.ru_maxrss) / 1024);
}

}  // namespace

int main(int count, char** arguments) {
  const auto argument = [&](int i, const char* otherwise) {
    return std::string(i < count ? arguments[i] : otherwise);
  };
  const auto number = [&](int i, int64_t otherwise) {
    return i < count ? std::atoll(arguments[i]) : otherwise;
  };
  Setting setting;
  setting.precision =
      argument(1, "bf16") == "fp32" ? config::Precision::fp32 : config::Precision::bf16;
  setting.path = argument(2, "fused") == "reference" ? tensor::Path::reference : tensor::Path::cpu;
  at::set_num_threads(static_cast<int>(number(3, at::get_num_threads())));
  config::ModelConfig& model = setting.model;
  model.layers = number(4, 6);
  model.width = number(5, 384);
  model.heads = number(6, 6);
  model.kv_heads = number(7, model.heads);
  model.head_dim = model.width / model.heads;
  model.ffn_width = number(8, 1024);
  model.vocabulary = number(9, 4096);
  setting.batch = number(10, 8);
  model.context = number(11, 256);
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, -1);
  std::printf("%s %s, %d threads\n", argument(1, "bf16").c_str(), argument(2, "fused").c_str(),
              at::get_num_threads());
  std::printf("%-34s %9s %9s %11s %9s\n", "ms, least", "forward", "cpu", "backward", "cpu");
  time_model(setting);
  time_ops(setting);
}
