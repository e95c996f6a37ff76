#include "muonlab/optim/optimizer.hpp"

#include <algorithm>
#include <optional>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "muonlab/base/error.hpp"
#include "muonlab/config/resolve.hpp"
#include "muonlab/optim/rule.hpp"
#include "muonlab/optim/schedule.hpp"
#include "optim/division.hpp"

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

// A rule and what it updates; no rule where there are no members.
struct Worker {
  Range range{};
  std::unique_ptr<Rule> rule{};

  void count(int64_t updates) const {
    if (range.ages.defined()) range.ages.add_(updates);
  }
  int64_t num_step_numbers() const { return rule ? rule->num_step_numbers() : 0; }

  std::vector<tensor::NamedTensor> state() const {
    std::vector<tensor::NamedTensor> all;
    if (rule) all = rule->state();
    for (int64_t i = 0; range.ages.defined() && i < range.ages.numel(); ++i)
      all.push_back(
          {base::str(range.members[static_cast<size_t>(i)].spec.name, kAge), range.ages[i]});
    return all;
  }
};

struct Entry {
  config::OptimizerConfig config;
  int64_t begin;  // of the range in the arena
  Worker worker;
  config::ScheduleConfig schedule;
  double scale = 1;
  // Shared out: the parts of all processes, and on rank 0 the whole, which updates nothing.
  std::vector<Part> parts{};
  std::optional<Worker> whole{};

  double lr() const {
    return std::visit([](const auto& c) { return c.lr; }, config);
  }
  double rate(int64_t step, int64_t num_steps) const {
    return scale * lr() * schedule_multiplier(schedule, step, num_steps);
  }
};

}  // namespace

struct Optimizer::Impl {
  const config::RunConfig& run;
  tensor::Path path;
  at::Tensor values;  // the arena's
  std::vector<std::string> names{};
  std::vector<Entry> entries{};  // by name
  std::vector<Share> shares{};
  bool has_whole_state = true;  // and it is current
  // Numbers of a step of all rules, one after the other: pinned memory, and the device's copy.
  at::Tensor host_numbers{}, numbers{};

  void make_numbers() {
    if (path != tensor::Path::cuda) return;
    int64_t count = 0;
    for (const Entry& entry : entries) count += entry.worker.num_step_numbers();
    const auto options = at::TensorOptions().dtype(at::kFloat);
    host_numbers = at::zeros({count}, options.pinned_memory(values.is_cuda()));
    numbers = at::zeros({count}, options.device(values.device()));
  }

  std::vector<tensor::NamedTensor> whole_state_of(const Entry& entry) const {
    if (!has_whole_state) {
      throw base::Error("the optimizers' state lies in several processes and was not collected, ",
                        "so it cannot be read or saved");
    }
    return entry.whole ? entry.whole->state() : entry.worker.state();
  }

  void begin_update() {
    has_whole_state = shares.empty();
    for (const Entry& entry : entries) entry.worker.count(1);
  }
};

Optimizer::Optimizer(const Routing& routing, const config::RunConfig& run, tensor::Arena& arena,
                     tensor::Path path)
    : impl_(std::make_unique<Impl>(run, path, arena.values())) {
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
    Worker worker{range_of(arena, begin, end, config::keeps_age(config), path)};
    worker.rule = make_rule(config, worker.range, run);
    impl_->names.push_back(name);
    impl_->entries.push_back(
        {config, arena.offset(order[begin]), std::move(worker), config::schedule_of(run, config)});
  }
  impl_->make_numbers();
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
  impl_->begin_update();
  for (Entry& entry : impl_->entries) {
    const UpdateStep now{.lr = entry.rate(step, num_steps), .step = step, .num_steps = num_steps};
    if (entry.worker.rule) entry.worker.rule->update(now);
  }
}

void Optimizer::share_out(int rank, int size) {
  base::check(impl_->shares.empty(), "optimizer: shared out twice");
  if (size == 1) return;
  for (Entry& entry : impl_->entries) {
    entry.parts = divide(*entry.worker.rule, entry.worker.range, size);
    for (int owner = 0; owner < size; ++owner) {
      const Part& part = entry.parts[static_cast<size_t>(owner)];
      if (part.begin < part.end)
        impl_->shares.push_back({entry.begin + part.begin, entry.begin + part.end, owner});
    }
    const Part& part = entry.parts[static_cast<size_t>(rank)];
    Worker own{range_of(part, entry.worker.range)};
    if (rank == 0) entry.whole.emplace(std::move(entry.worker));
    entry.worker = Worker{};  // gives its memory back before the part takes its own
    if (!part.members.empty()) own.rule = make_rule(entry.config, own.range, impl_->run);
    entry.worker = std::move(own);
  }
  impl_->has_whole_state = rank == 0;
  impl_->make_numbers();
}

const std::vector<Share>& Optimizer::shares() const { return impl_->shares; }

std::vector<at::Tensor> Optimizer::own_state() {
  std::vector<at::Tensor> all;
  for (const Entry& entry : impl_->entries) {
    for (tensor::NamedTensor& state : entry.worker.state()) all.push_back(std::move(state.value));
  }
  return all;
}

std::vector<at::Tensor> Optimizer::whole_state_of(int owner) {
  std::vector<at::Tensor> all;
  for (const Entry& entry : impl_->entries) {
    const Part& part = entry.parts[static_cast<size_t>(owner)];
    for (at::Tensor& state : state_within(part, entry.whole->range, entry.whole->state()))
      all.push_back(std::move(state));
  }
  return all;
}

void Optimizer::whole_state_is_current() { impl_->has_whole_state = true; }

void Optimizer::begin_step(int64_t step, int64_t num_steps) {
  base::check(step >= 1, "optimizer: steps are counted from 1");
  const at::NoGradGuard no_grad;
  impl_->begin_update();
  float* numbers = impl_->host_numbers.mutable_data_ptr<float>();
  for (Entry& entry : impl_->entries) {
    const int64_t count = entry.worker.num_step_numbers();
    if (count > 0) entry.worker.rule->write_step_numbers(entry.rate(step, num_steps), numbers);
    numbers += count;
  }
  impl_->numbers.copy_(impl_->host_numbers, /*non_blocking=*/true);
}

void Optimizer::enqueue_step(const at::Tensor& status) {
  const at::NoGradGuard no_grad;
  int64_t first = 0;
  for (Entry& entry : impl_->entries) {
    const int64_t count = entry.worker.num_step_numbers();
    if (count > 0)
      entry.worker.rule->enqueue_update(impl_->numbers.narrow(0, first, count), status);
    first += count;
  }
}

void Optimizer::end_step(int64_t step, int64_t num_steps) {
  const at::NoGradGuard no_grad;
  for (Entry& entry : impl_->entries) {
    if (!entry.worker.rule || entry.worker.num_step_numbers() > 0) continue;
    entry.worker.rule->update(
        {.lr = entry.rate(step, num_steps), .step = step, .num_steps = num_steps});
  }
}

void Optimizer::take_back() {
  for (const Entry& entry : impl_->entries) entry.worker.count(-1);
}

bool Optimizer::needs_host() const {
  return std::any_of(impl_->entries.begin(), impl_->entries.end(), [](const Entry& entry) {
    return entry.worker.rule && entry.worker.num_step_numbers() == 0;
  });
}

std::vector<tensor::NamedTensor> Optimizer::state() {
  std::vector<tensor::NamedTensor> all;
  for (const Entry& entry : impl_->entries) {
    for (auto& state : impl_->whole_state_of(entry)) all.push_back(std::move(state));
  }
  return all;
}

std::map<std::string, Moments> Optimizer::moments() {
  std::map<std::string, Moments> moments;
  for (const Entry& entry : impl_->entries) {
    const config::MomentNames names = config::moment_names(entry.config);
    for (const tensor::NamedTensor& state : impl_->whole_state_of(entry)) {
      const size_t slash = state.name.rfind('/');
      const std::string_view name = std::string_view(state.name).substr(slash + 1);
      Moments& own = moments[state.name.substr(0, slash)];
      if (name == names.first) own.first = state.value;
      if (name == names.second) own.second = state.value;
    }
  }
  return moments;
}

bool is_age(std::string_view state_name) { return state_name.ends_with(kAge); }

int64_t Optimizer::num_orthogonalizations() const {
  int64_t sum = 0;
  for (const Entry& entry : impl_->entries)
    sum += entry.worker.rule ? entry.worker.rule->num_orthogonalizations() : 0;
  return sum;
}

}  // namespace muonlab::optim
