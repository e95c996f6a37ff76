// Times one step of each rule on the matrices of a decoder: muonlab_optim_bench [threads] [layers
// width ffn_width].
//
// Default: 6 layers of width 384 with a feed-forward of 1024 (12 matrices 384 x 384 and 18 of 384 x
// 1024 under Muon). Prints the best of several repetitions; for Muon also the parts of a step and,
// beside them, what the three plain matrix products an iteration would take in the same process.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "muonlab/base/error.hpp"
#include "muonlab/optim/optimizer.hpp"
#include "muonlab/optim/orthogonalize.hpp"
#include "muonlab/tensor/runtime.hpp"
#include "optim/newton_schulz.hpp"
#include "optim/panels.hpp"

namespace {

using namespace muonlab;

double best_ms(const std::function<void()>& work) {
  constexpr int kRepetitions = 12;
  double best = 1e300;
  for (int i = 0; i < kRepetitions; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double, std::milli> elapsed =
        std::chrono::steady_clock::now() - start;
    best = std::min(best, elapsed.count());
  }
  return best;
}

std::vector<config::ParameterSpec> matrices(int64_t layers, int64_t width, int64_t ffn_width) {
  using config::Role;
  std::vector<config::ParameterSpec> specs;
  for (int layer = 0; layer < layers; ++layer) {
    const auto add = [&](const char* name, Role role, int64_t rows, int64_t cols) {
      specs.push_back(
          {base::str("model.layers.", layer, ".", name, ".weight"), role, layer, {rows, cols}});
    };
    add("self_attn.v_proj", Role::v, width, width);
    add("self_attn.o_proj", Role::o, width, width);
    add("mlp.gate_proj", Role::ffn_in, ffn_width, width);
    add("mlp.up_proj", Role::ffn_gate, ffn_width, width);
    add("mlp.down_proj", Role::ffn_out, width, ffn_width);
  }
  return specs;
}

// What an update cannot do without: so many passes over all values, and for SOAP the eight products
// that turn a gradient and a momentum into the basis and an update out of it, and make the factors.
double passes_ms(const std::vector<config::ParameterSpec>& specs, int passes) {
  int64_t values = 0;
  for (const auto& spec : specs) values += spec.count();
  at::Tensor a = at::zeros({values}), b = at::ones({values});
  return passes * best_ms([&] { a.add_(b, 0.5); });
}

double soap_products_ms(const std::vector<config::ParameterSpec>& specs) {
  std::vector<at::Tensor> g, left, right;
  for (const auto& spec : specs) {
    g.push_back(at::randn(spec.shape));
    left.push_back(at::randn({spec.shape[0], spec.shape[0]}));
    right.push_back(at::randn({spec.shape[1], spec.shape[1]}));
  }
  return best_ms([&] {
    tensor::each_on_one_thread(static_cast<int64_t>(g.size()), [&](int64_t i) {
      const auto j = static_cast<size_t>(i);
      const at::Tensor &x = g[j], &l = left[j], &r = right[j];
      for (int k = 0; k < 3; ++k) at::mm(at::mm(l, x), r);
      at::mm(x, x.t());
      at::mm(x.t(), x);
    });
  });
}

void time_rule(const std::string& label, const std::vector<config::ParameterSpec>& specs,
               const config::OptimizerConfig& rule, int64_t width) {
  config::RunConfig run;
  run.optimizers = {{"rule", rule}};
  run.assign = {{{"all"}, "rule"}};
  run.model.width = width;
  const optim::Routing routing = optim::route(specs, run);
  tensor::Arena arena(specs, routing.order);
  arena.values().normal_(0.0, 0.02);
  arena.grads().normal_(0.0, 0.01);
  optim::Optimizer optimizer(routing, run, arena);
  optimizer.step(1, 100);
  int64_t values = 0;
  for (const auto& spec : specs) values += spec.count();
  const double ms = best_ms([&] { optimizer.step(2, 100); });
  std::printf("%-22s %8.2f ms   %7.1f M values/s\n", label.c_str(), ms,
              static_cast<double>(values) / ms / 1e3);
}

void time_iteration(int64_t n, int64_t s, int64_t l, at::ScalarType type) {
  const optim::Coefficients keller = optim::coefficients(config::Orthogonalizer::keller, {});
  const at::Tensor x = at::randn({n, s, l}).div_(std::sqrt(static_cast<double>(s * l))).to(type);
  at::Tensor y = x.clone(), workspace;
  const auto flops = 5.0 * static_cast<double>(n * s * s) * static_cast<double>(4 * l + 2 * s);
  const double plain = best_ms([&] { optim::newton_schulz_plain(x, keller); });
  const double used = best_ms([&] {
    y.copy_(x);
    optim::newton_schulz(y, keller, workspace);
  });
  std::printf("%2lld x %lld x %lld %s: plain %.2f ms (%.0f GFLOP/s), %s %.2f ms, ratio %.2f\n",
              static_cast<long long>(n), static_cast<long long>(s), static_cast<long long>(l),
              type == at::kFloat ? "fp32" : "bf16", plain, flops / plain / 1e6,
              optim::panels_available() ? "panels" : "plain again", used, used / plain);
}

}  // namespace

int main(int argc, char** argv) {
  const auto argument = [&](int i, int64_t standard) {
    return i < argc ? std::atoll(argv[i]) : standard;
  };
  at::set_num_threads(static_cast<int>(argument(1, at::get_num_threads())));
  const int64_t layers = argument(2, 6), width = argument(3, 384), ffn_width = argument(4, 1024);
  std::printf("%d threads; %lld layers, width %lld, feed-forward %lld\n", at::get_num_threads(),
              static_cast<long long>(layers), static_cast<long long>(width),
              static_cast<long long>(ffn_width));
  const auto specs = matrices(layers, width, ffn_width);
  for (const auto type : {config::IterationType::bf16, config::IterationType::fp32}) {
    config::MuonConfig muon;
    muon.iteration = type;
    time_rule(type == config::IterationType::bf16 ? "muon bf16" : "muon fp32", specs, muon, width);
  }
  time_rule("adamw", specs, config::AdamWConfig{}, width);
  time_rule("sgd", specs, config::SgdConfig{}, width);
  time_rule("signsgd", specs, config::SignSgdConfig{}, width);
  time_rule("lion", specs, config::LionConfig{}, width);
  time_rule("ember", specs, config::EmberConfig{}, width);
  const auto bf16 = [](auto rule) {
    rule.iteration = config::IterationType::bf16;
    return rule;
  };
  auto after = bf16(config::MuonConfig{}), ball = bf16(config::MuonConfig{});
  after.order = config::PolarOrder::after;
  ball.hyperball = true;
  time_rule("muon after, bf16", specs, after, width);
  time_rule("muon hyperball, bf16", specs, ball, width);
  time_rule("normuon bf16", specs, bf16(config::NorMuonConfig{}), width);
  time_rule("adamuon bf16", specs, bf16(config::AdaMuonConfig{}), width);
  time_rule("scion bf16", specs, bf16(config::ScionConfig{}), width);
  time_rule("dion2 bf16", specs, bf16(config::Dion2Config{}), width);
  config::SoapConfig soap;
  soap.basis_every = 1'000'000;
  time_rule("soap, no new basis", specs, soap, width);
  soap.basis_every = 1;
  time_rule("soap, new basis", specs, soap, width);
  std::printf("one pass over all values %.2f ms; soap's products %.2f ms\n", passes_ms(specs, 1),
              soap_products_ms(specs));
  for (const auto type : {at::kBFloat16, at::kFloat}) {
    time_iteration(2 * layers, width, width, type);
    time_iteration(3 * layers, std::min(width, ffn_width), std::max(width, ffn_width), type);
  }
}
