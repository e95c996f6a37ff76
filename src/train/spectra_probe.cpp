#include "muonlab/train/spectra_probe.hpp"

#include <algorithm>
#include <limits>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <nlohmann/json.hpp>

#include "muonlab/train/batch.hpp"
#include "muonlab/train/evaluation.hpp"
#include "muonlab/train/spectra.hpp"
#include "muonlab/train/update_angle.hpp"

namespace muonlab::train {
namespace {

using config::Role;
using Json = nlohmann::ordered_json;

// Matrices of a layer that read the same input as the one an observer names.
std::vector<Role> readers(Role role, bool gated) {
  if (role == Role::q) return {Role::q, Role::k, Role::v};
  if (role == Role::ffn_in && gated) return {Role::ffn_in, Role::ffn_gate};
  return {role};
}

// Stable rank |X|_F² / |X|² of an input [n, k], from its Gram matrix in double.
double stable_rank_of_input(const at::Tensor& input_nk) {
  const at::Tensor x = input_nk.cpu().to(at::kDouble);
  const at::Tensor gram = x.size(0) < x.size(1) ? at::mm(x, x.t()) : at::mm(x.t(), x);
  const double largest = at::linalg_eigvalsh(gram).max().item<double>();
  return largest > 0 ? gram.trace().item<double>() / largest
                     : std::numeric_limits<double>::quiet_NaN();
}

std::vector<std::string> input_lines(Trainer& trainer) {
  at::NoGradGuard no_grad;
  const int64_t step = trainer.state.step + 1;
  std::vector<std::string> lines;
  const Batch batch =
      read_batch(*trainer.data.train, trainer.state.next_sample, trainer.plan.micro_batch,
                 trainer.plan.context, trainer.arena.values().device());
  model::Observer observer;
  observer.input = [&](int64_t layer, Role role, const at::Tensor& input_nk) {
    const double rank = stable_rank_of_input(input_nk);
    for (Role reader : readers(role, trainer.config.model.gated)) {
      lines.push_back(Json{
          {"step", step},
          {"of", "input"},
          {"role", config::role_name(reader)},
          {"layer", layer},
          {"stable_rank",
           rank}}.dump());
    }
  };
  trainer.model.observe(batch.tokens_bt, observer);
  return lines;
}

// Over the first micro-batch of validation windows, the same at every step.
std::vector<std::string> attention_lines(Trainer& trainer) {
  at::NoGradGuard no_grad;
  std::vector<std::string> lines;
  const std::vector<int64_t> windows =
      validation_windows(std::min(trainer.plan.micro_batch, trainer.plan.eval_windows),
                         trainer.data.valid->samples_per_epoch(), config::EvalWindows::first);
  const Batch batch = read_windows(*trainer.data.valid, windows, trainer.plan.context,
                                   trainer.arena.values().device());
  model::Observer observer;
  observer.max_logit = [&](int64_t layer, double logit) {
    lines.push_back(Json{
        {"step", trainer.state.step}, {"of", "attention"}, {"layer", layer}, {"max_logit", logit}}
                        .dump());
  };
  trainer.model.observe(batch.tokens_bt, observer);
  return lines;
}

}  // namespace

void SpectraProbe::before_step(Trainer& trainer) {
  before_.clear();
  input_lines_.clear();
  if (config_.updates) {
    for (const tensor::Parameter& parameter : trainer.arena.parameters()) {
      if (!is_selected(config_.params, parameter.spec)) continue;
      before_[parameter.spec.name] = parameter.value.detach().cpu().clone();
    }
  }
  if (config_.inputs) input_lines_ = input_lines(trainer);
}

std::vector<std::string> SpectraProbe::measure(Trainer& trainer) {
  const config::ModelConfig& model = trainer.config.model;
  const int64_t step = trainer.state.step;
  std::vector<MatrixSpectrum> matrices =
      weight_matrices(trainer.arena, config_.params, config_.heads, model);
  const bool stepped = step > 0;  // before the first step there are no gradients
  std::map<std::string, optim::Moments> moments;
  if (stepped && reads_state()) moments = trainer.optimizer.moments();
  for (const tensor::Parameter& parameter : trainer.arena.parameters()) {
    const config::ParameterSpec& spec = parameter.spec;
    if (!stepped || !is_selected(config_.params, spec)) continue;
    if (config_.gradients)
      append_matrix(spec, "gradient", parameter.grad, config_.heads, model, matrices);
    const optim::Moments& own = moments[spec.name];
    const at::Tensor first = own.first.defined() ? own.first.cpu() : own.first;
    const at::Tensor second = own.second.defined() ? own.second.cpu() : own.second;
    if (config_.momentum && first.defined())
      append_matrix(spec, "momentum", first, config_.heads, model, matrices);
    const auto before = before_.find(spec.name);
    if (before == before_.end()) continue;
    const size_t whole = matrices.size();
    append_matrix(spec, "update", parameter.value.detach().cpu() - before->second, config_.heads,
                  model, matrices);
    matrices[whole].ratio =
        root_mean_square(matrices[whole].value) / root_mean_square(before->second);
    matrices[whole].angle_deg =
        adam_muon_angle_deg(first.defined() ? first : parameter.grad.cpu(), second);
  }
  train::measure(matrices);
  std::vector<std::string> lines;
  for (const MatrixSpectrum& matrix : matrices)
    lines.push_back(spectrum_json(matrix, step, config_.histogram));
  if (stepped) lines.insert(lines.end(), input_lines_.begin(), input_lines_.end());
  if (config_.attention) {
    const std::vector<std::string> attention = attention_lines(trainer);
    lines.insert(lines.end(), attention.begin(), attention.end());
  }
  return lines;
}

}  // namespace muonlab::train
