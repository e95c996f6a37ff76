#include "muonlab/optim/optimizer.hpp"

#include <algorithm>

#include <ATen/core/grad_mode.h>

#include "muonlab/base/error.hpp"
#include "muonlab/optim/rule.hpp"

namespace muonlab::optim {
namespace {

// The range of the arena that holds the parameters at order[begin, end).
Range range_of(const tensor::Arena& arena, size_t begin, size_t end) {
  const std::vector<size_t>& order = arena.order();
  const int64_t first = arena.offset(order[begin]);
  const int64_t last = end < order.size() ? arena.offset(order[end]) : arena.values().numel();
  Range range{.values = arena.values().narrow(0, first, last - first),
              .grads = arena.grads().narrow(0, first, last - first),
              .members = {},
              .composed = !arena.values().is_cpu()};
  for (size_t i = begin; i < end; ++i) {
    range.members.push_back({arena.parameters()[order[i]].spec, arena.offset(order[i]) - first});
  }
  return range;
}

struct MakeRule {
  Range range;
  const config::RunConfig& run;

  using Made = std::unique_ptr<Rule>;
  Made operator()(const config::AdamWConfig& c) { return make_adamw(c, std::move(range)); }
  Made operator()(const config::SgdConfig& c) { return make_sgd(c, std::move(range)); }
  Made operator()(const config::SignSgdConfig& c) { return make_signsgd(c, std::move(range)); }
  Made operator()(const config::MuonConfig& c) { return make_muon(c, std::move(range), run); }
};

struct Entry {
  std::unique_ptr<Rule> rule;
  double lr;
  config::ScheduleConfig schedule;

  double rate(int64_t step, int64_t num_steps) const {
    return lr * schedule_multiplier(schedule, step, num_steps);
  }
};

}  // namespace

struct Optimizer::Impl {
  std::vector<std::string> names;
  std::vector<Entry> entries;  // by name
};

Optimizer::Optimizer(const Routing& routing, const config::RunConfig& run, tensor::Arena& arena)
    : impl_(std::make_unique<Impl>()) {
  base::check(arena.order() == routing.order,
              "optimizer: the arena is not laid out by this routing");
  base::check(arena.values().scalar_type() == at::kFloat, "optimizer: the arena is not fp32");
  const std::vector<size_t>& order = routing.order;
  for (size_t begin = 0, end; begin < order.size(); begin = end) {
    const std::string& name = routing.optimizer[order[begin]];
    end = begin;
    while (end < order.size() && routing.optimizer[order[end]] == name) ++end;
    base::check(std::find(impl_->names.begin(), impl_->names.end(), name) == impl_->names.end(),
                "optimizer: the parameters of " + name + " are not one range");
    const config::OptimizerConfig& config = run.optimizers.at(name);
    Entry entry{
        std::visit(MakeRule{range_of(arena, begin, end), run}, config),
        std::visit([](const auto& c) { return c.lr; }, config),
        std::visit([&](const auto& c) { return c.schedule.value_or(run.schedule); }, config)};
    impl_->names.push_back(name);
    impl_->entries.push_back(std::move(entry));
  }
}

Optimizer::~Optimizer() = default;

const std::vector<std::string>& Optimizer::names() const { return impl_->names; }

std::vector<double> Optimizer::learning_rates(int64_t step, int64_t num_steps) const {
  std::vector<double> rates;
  for (const Entry& entry : impl_->entries) rates.push_back(entry.rate(step, num_steps));
  return rates;
}

void Optimizer::step(int64_t step, int64_t num_steps) {
  base::check(step >= 1, "optimizer: steps are counted from 1");
  const at::NoGradGuard no_grad;
  for (Entry& entry : impl_->entries) entry.rule->update(entry.rate(step, num_steps), step);
}

std::vector<tensor::NamedTensor> Optimizer::state() {
  std::vector<tensor::NamedTensor> all;
  for (Entry& entry : impl_->entries) {
    for (auto& state : entry.rule->state()) all.push_back(std::move(state));
  }
  return all;
}

int64_t Optimizer::num_orthogonalizations() const {
  int64_t sum = 0;
  for (const Entry& entry : impl_->entries) sum += entry.rule->num_orthogonalizations();
  return sum;
}

}  // namespace muonlab::optim
