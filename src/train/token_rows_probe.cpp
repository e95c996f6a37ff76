#include "muonlab/train/token_rows_probe.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "muonlab/base/error.hpp"

namespace muonlab::train {
namespace {

using Json = nlohmann::ordered_json;

bool has_token_rows(const tensor::Parameter& parameter) {
  return parameter.spec.role == config::Role::embed || parameter.spec.role == config::Role::head;
}

// How often each id occurs in samples first .. first + num_samples - 1.
std::vector<int64_t> counts_of(const Trainer& trainer, int64_t first, int64_t num_samples) {
  std::vector<int64_t> counts(static_cast<size_t>(*trainer.config.model.vocabulary));
  std::vector<int32_t> ids(static_cast<size_t>(trainer.plan.context + 1));
  for (int64_t i = 0; i < num_samples; ++i) {
    trainer.data.train->sample(first + i, ids);
    for (size_t t = 1; t < ids.size(); ++t) ++counts[static_cast<size_t>(ids[t - 1])];
  }
  return counts;
}

std::vector<int64_t> counts_of_run(const Trainer& trainer, int64_t num_tokens) {
  const int64_t wanted = (num_tokens + trainer.plan.context - 1) / trainer.plan.context;
  return counts_of(trainer, 0, std::min(wanted, trainer.data.train->samples_per_epoch()));
}

double mean_square(const at::Tensor& rows_rk) {
  return rows_rk.to(at::kDouble).square().mean().item<double>();
}

// The rows of one group of tokens in one matrix.
struct Group {
  std::vector<int64_t> all, in_step;  // ids; those that the step's batch held
};

}  // namespace

void TokenRowsProbe::before_step(Trainer& trainer) {
  first_sample_ = trainer.state.next_sample;
  for (const tensor::Parameter& parameter : trainer.arena.parameters()) {
    if (has_token_rows(parameter))
      before_[parameter.spec.name] = parameter.value.detach().cpu().clone();
  }
}

std::vector<std::string> TokenRowsProbe::measure(Trainer& trainer) {
  if (trainer.state.step == 0) return {};  // before the first step there is no update
  base::check(!before_.empty(), "token rows of a step that was not announced");
  if (counts_.empty()) counts_ = counts_of_run(trainer, config_.count_tokens);
  const std::vector<int64_t> in_step =
      counts_of(trainer, first_sample_, trainer.plan.batches.at(trainer.state.step));
  std::map<int, Group> groups;
  for (size_t id = 0; id < counts_.size(); ++id) {
    Group& group = groups[std::bit_width(static_cast<uint64_t>(counts_[id]))];
    group.all.push_back(static_cast<int64_t>(id));
    if (in_step[id] > 0) group.in_step.push_back(static_cast<int64_t>(id));
  }
  std::vector<std::string> lines;
  for (const tensor::Parameter& parameter : trainer.arena.parameters()) {
    if (!has_token_rows(parameter)) continue;
    const at::Tensor after = parameter.value.detach().cpu(), grad = parameter.grad.cpu();
    const at::Tensor update = after - before_.at(parameter.spec.name);
    const auto rms = [](const at::Tensor& matrix, const std::vector<int64_t>& ids) {
      return std::sqrt(mean_square(matrix.index_select(0, at::tensor(ids, at::kLong))));
    };
    for (const auto& [number, group] : groups) {
      Json line{{"step", trainer.state.step},
                {"of", config::role_name(parameter.spec.role)},
                {"group", number},
                {"tokens", group.all.size()},
                {"in_step", group.in_step.size()},
                {"weight_rms", rms(after, group.all)},
                {"gradient_rms", rms(grad, group.all)},
                {"update_rms", rms(update, group.all)}};
      if (!group.in_step.empty()) line["update_rms_in_step"] = rms(update, group.in_step);
      lines.push_back(line.dump());
    }
  }
  before_.clear();
  return lines;
}

}  // namespace muonlab::train
