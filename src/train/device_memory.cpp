#include "train/device_memory.hpp"

#include <algorithm>
#include <map>
#include <string>

#include "muonlab/config/routing.hpp"
#include "muonlab/train/gradient_sum.hpp"

namespace muonlab::train {
namespace {

// The driver's context and the kernels of LibTorch and cuBLAS, and cuBLAS's workspace.
constexpr double kRuntimeBytes = 700e6;
constexpr double kLogitsAtATime = 576 << 20;  // as in ops/cross_entropy.cpp

double count_of(const config::ParameterSpec& spec) { return static_cast<double>(spec.count()); }

}  // namespace

double device_memory_bytes(const config::RunConfig& run, const Plan& plan) {
  const config::ModelConfig& model = run.model;
  const bool bf16 = run.precision == config::Precision::bf16;
  const double size = bf16 ? 2.0 : 4.0;
  const auto w = static_cast<double>(model.width), f = static_cast<double>(*model.ffn_width);
  const auto v = static_cast<double>(*model.vocabulary);
  const auto d = static_cast<double>(*model.head_dim);
  const auto q = static_cast<double>(model.heads) * d;
  const double packed = q + 2 * static_cast<double>(*model.kv_heads) * d;
  const double hidden = model.gated ? 2 * f : f;
  const auto tokens = static_cast<double>(plan.micro_batch * plan.context);

  const std::vector<config::ParameterSpec> specs = config::parameter_specs(model);
  const std::vector<size_t> lines = config::first_matches(run.assign, specs);
  const double partial_sums = gradient_sum_bytes(run.train, plan.num_micro_batches);
  double weights = 0;
  std::map<std::string, double> of_shape;  // numbers of the matrices that one batch of muon holds
  for (size_t i = 0; i < specs.size(); ++i) {
    const config::OptimizerConfig& rule = run.optimizers.at(run.assign.at(lines[i]).optimizer);
    const config::MomentNames moments = config::moment_names(rule);
    const double num_moments = (moments.first.empty() ? 0 : 1) + (moments.second.empty() ? 0 : 1);
    const bool is_matrix = specs[i].shape.size() == 2;
    const bool copied = is_matrix && (bf16 || specs[i].role == config::Role::q ||
                                      specs[i].role == config::Role::k ||
                                      specs[i].role == config::Role::v || model.gated);
    weights +=
        count_of(specs[i]) * (4.0 + 4.0 + 4.0 * num_moments + (copied ? size : 0.0) + partial_sums);
    if (std::holds_alternative<config::MuonConfig>(rule))
      of_shape[std::to_string(specs[i].shape[0]) + "x" + std::to_string(specs[i].shape[1])] +=
          count_of(specs[i]);
  }
  // The residual sums and the norms' results, packed heads (twice with a norm over them),
  // attention's result and its branch, the feed-forward's two.
  const double copies = model.qk_norm == config::QkNorm::none ? 1 : 2;
  double of_layer = 8.0 * w + size * (2 * w + copies * packed + q + hidden + f) + 8.0 + 4.0 * q / d;
  // Attention that is composed keeps its scores, their capped values and their softmax.
  if (model.score_cap > 0 || model.window || model.document_start)
    of_layer += 12.0 * static_cast<double>(model.heads * model.context);
  const double saved =
      tokens * (static_cast<double>(model.layers) * of_layer + (8.0 + 2 * size) * w);
  // Of the backward of a layer, of the head, and of the largest batch of the iteration.
  const double of_backward = tokens * (4.0 * w + size * (3 * hidden + 2 * packed));
  const double of_logit = size + (model.logit_cap > 0 ? 8.0 + size : 0.0);
  const double of_head = std::min(tokens * v, kLogitsAtATime) * of_logit + 4.0 * v * w;
  double of_muon = 0;
  for (const auto& [shape, numbers] : of_shape) of_muon = std::max(of_muon, 4.0 * numbers * size);
  return kRuntimeBytes + weights + std::max({saved + of_backward, saved + of_head, of_muon});
}

}  // namespace muonlab::train
