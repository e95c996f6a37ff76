#include "muonlab/optim/optimizer.hpp"

#include <algorithm>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "muonlab/base/error.hpp"
#include "muonlab/config/resolve.hpp"
#include "muonlab/optim/rule.hpp"
#include "muonlab/optim/schedule.hpp"

namespace muonlab::optim {
namespace {

constexpr std::string_view kAge = "/age";

// The range of the arena that holds the parameters at order[begin, end).
Range range_of(const tensor::Arena& arena, size_t begin, size_t end, bool keeps_age,
               tensor::Path path) {
  const std::vector<size_t>& order = arena.order();
  const int64_t first = arena.offset(order[begin]);
  const int64_t last = end < order.size() ? arena.offset(order[end]) : arena.values().numel();
  Range range{.values = arena.values().narrow(0, first, last - first),
              .grads = arena.grads().narrow(0, first, last - first),
              .members = {},
              .composed = !arena.values().is_cpu() || path == tensor::Path::cuda,
              .on_plugin = path == tensor::Path::cuda};
  if (keeps_age) range.ages = at::zeros({static_cast<int64_t>(end - begin)}, at::kLong);
  for (size_t i = begin; i < end; ++i) {
    range.members.push_back({arena.parameters()[order[i]].spec, arena.offset(order[i]) - first});
  }
  return range;
}

struct Entry {
  std::unique_ptr<Rule> rule;
  std::vector<Member> members;
  config::MomentNames moments;
  at::Tensor ages;  // the rule's Range::ages
  double lr;
  config::ScheduleConfig schedule;
  double scale = 1;

  double rate(int64_t step, int64_t num_steps) const {
    return scale * lr * schedule_multiplier(schedule, step, num_steps);
  }
};

}  // namespace

struct Optimizer::Impl {
  std::vector<std::string> names;
  std::vector<Entry> entries;  // by name
  std::vector<size_t> order;   // the arena's
  // Numbers of a step of all rules, one after the other: pinned memory, and the device's copy.
  at::Tensor host_numbers, numbers;

  void make_numbers(const at::Tensor& values) {
    int64_t count = 0;
    for (const Entry& entry : entries) count += entry.rule->num_step_numbers();
    const auto options = at::TensorOptions().dtype(at::kFloat);
    host_numbers = at::zeros({count}, options.pinned_memory(values.is_cuda()));
    numbers = at::zeros({count}, options.device(values.device()));
  }
};

Optimizer::Optimizer(const Routing& routing, const config::RunConfig& run, tensor::Arena& arena,
                     tensor::Path path)
    : impl_(std::make_unique<Impl>()) {
  base::check(arena.order() == routing.order,
              "optimizer: the arena is not laid out by this routing");
  base::check(arena.values().scalar_type() == at::kFloat, "optimizer: the arena is not fp32");
  const std::vector<size_t>& order = impl_->order = routing.order;
  for (size_t begin = 0, end; begin < order.size(); begin = end) {
    const std::string& name = routing.optimizer[order[begin]];
    end = begin;
    while (end < order.size() && routing.optimizer[order[end]] == name) ++end;
    base::check(std::find(impl_->names.begin(), impl_->names.end(), name) == impl_->names.end(),
                "optimizer: the parameters of " + name + " are not one range");
    const config::OptimizerConfig& config = run.optimizers.at(name);
    const Range range = range_of(arena, begin, end, config::keeps_age(config), path);
    Entry entry{make_rule(config, range, run),
                range.members,
                config::moment_names(config),
                range.ages,
                std::visit([](const auto& c) { return c.lr; }, config),
                config::schedule_of(run, config),
                1.0};
    impl_->names.push_back(name);
    impl_->entries.push_back(std::move(entry));
  }
  if (path == tensor::Path::cuda) impl_->make_numbers(arena.values());
}

Optimizer::~Optimizer() = default;

const std::vector<std::string>& Optimizer::names() const { return impl_->names; }

std::vector<double> Optimizer::learning_rates(int64_t step, int64_t num_steps) const {
  std::vector<double> rates;
  for (const Entry& entry : impl_->entries) rates.push_back(entry.rate(step, num_steps));
  return rates;
}

void Optimizer::scale_rates(double factor) {
  for (Entry& entry : impl_->entries) entry.scale = factor;
}

void Optimizer::step(int64_t step, int64_t num_steps) {
  base::check(step >= 1, "optimizer: steps are counted from 1");
  const at::NoGradGuard no_grad;
  for (Entry& entry : impl_->entries) {
    if (entry.ages.defined()) entry.ages.add_(1);
    entry.rule->update({.lr = entry.rate(step, num_steps), .step = step, .num_steps = num_steps});
  }
}

std::vector<int> Optimizer::share_out(int rank, int size) {
  std::vector<int> owners(impl_->order.size(), -1);
  size_t first = 0;
  for (Entry& entry : impl_->entries) {
    const std::vector<int> of_members = entry.rule->share_out(rank, size);
    for (size_t i = 0; i < of_members.size(); ++i) owners[impl_->order[first + i]] = of_members[i];
    first += entry.members.size();
  }
  return owners;
}

void Optimizer::begin_step(int64_t step, int64_t num_steps) {
  base::check(step >= 1, "optimizer: steps are counted from 1");
  const at::NoGradGuard no_grad;
  float* numbers = impl_->host_numbers.mutable_data_ptr<float>();
  for (Entry& entry : impl_->entries) {
    if (entry.ages.defined()) entry.ages.add_(1);
    entry.rule->write_step_numbers(entry.rate(step, num_steps), numbers);
    numbers += entry.rule->num_step_numbers();
  }
  impl_->numbers.copy_(impl_->host_numbers, /*non_blocking=*/true);
}

void Optimizer::enqueue_step(const at::Tensor& status) {
  const at::NoGradGuard no_grad;
  int64_t first = 0;
  for (Entry& entry : impl_->entries) {
    const int64_t count = entry.rule->num_step_numbers();
    if (count > 0) entry.rule->enqueue_update(impl_->numbers.narrow(0, first, count), status);
    first += count;
  }
}

void Optimizer::end_step(int64_t step, int64_t num_steps) {
  const at::NoGradGuard no_grad;
  for (Entry& entry : impl_->entries) {
    if (entry.rule->num_step_numbers() > 0) continue;
    entry.rule->update({.lr = entry.rate(step, num_steps), .step = step, .num_steps = num_steps});
  }
}

void Optimizer::take_back() {
  for (Entry& entry : impl_->entries) {
    if (entry.ages.defined()) entry.ages.sub_(1);
  }
}

bool Optimizer::needs_host() const {
  return std::any_of(impl_->entries.begin(), impl_->entries.end(),
                     [](const Entry& entry) { return entry.rule->num_step_numbers() == 0; });
}

std::vector<tensor::NamedTensor> Optimizer::state() {
  std::vector<tensor::NamedTensor> all;
  for (Entry& entry : impl_->entries) {
    for (auto& state : entry.rule->state()) all.push_back(std::move(state));
    for (int64_t i = 0; entry.ages.defined() && i < entry.ages.numel(); ++i)
      all.push_back(
          {base::str(entry.members[static_cast<size_t>(i)].spec.name, kAge), entry.ages[i]});
  }
  return all;
}

std::map<std::string, Moments> Optimizer::moments() {
  std::map<std::string, Moments> moments;
  for (const Entry& entry : impl_->entries) {
    for (const tensor::NamedTensor& state : entry.rule->state()) {
      const size_t slash = state.name.rfind('/');
      const std::string_view name = std::string_view(state.name).substr(slash + 1);
      Moments& own = moments[state.name.substr(0, slash)];
      if (name == entry.moments.first) own.first = state.value;
      if (name == entry.moments.second) own.second = state.value;
    }
  }
  return moments;
}

bool is_age(std::string_view state_name) { return state_name.ends_with(kAge); }

int64_t Optimizer::num_orthogonalizations() const {
  int64_t sum = 0;
  for (const Entry& entry : impl_->entries) sum += entry.rule->num_orthogonalizations();
  return sum;
}

}  // namespace muonlab::optim
