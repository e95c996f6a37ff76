#include "optim/division.hpp"

#include <algorithm>
#include <numeric>

#include <ATen/ATen.h>

#include "muonlab/base/error.hpp"

namespace muonlab::optim {
namespace {

// Ranges are cut at multiples of this many elements: whole vectors of every processor.
constexpr int64_t kCutEvery = 64;

// Bounds of the processes' elements, so many equal parts.
std::vector<int64_t> bounds_of_elements(int64_t count, int processes) {
  std::vector<int64_t> bounds;
  for (int rank = 0; rank < processes; ++rank)
    bounds.push_back(count / kCutEvery * rank / processes * kCutEvery);
  bounds.push_back(count);
  return bounds;
}

// Indices of the members with which the processes begin, where none has more than `limit` but one
// that has a single member; empty where the processes do not suffice.
std::vector<size_t> first_members(const std::vector<double>& costs, int processes, double limit) {
  std::vector<size_t> firsts{0};
  double load = 0;
  for (size_t i = 0; i < costs.size(); ++i) {
    if (i > firsts.back() && load + costs[i] > limit) {
      firsts.push_back(i);
      load = 0;
    }
    load += costs[i];
  }
  if (firsts.size() > static_cast<size_t>(processes)) return {};
  firsts.resize(static_cast<size_t>(processes), costs.size());
  return firsts;
}

// The smallest limit on a process' cost with which the processes suffice.
std::vector<size_t> balanced_members(const std::vector<double>& costs, int processes) {
  constexpr int kHalvings = 50;
  double most = std::accumulate(costs.begin(), costs.end(), 0.0);
  double least = std::max(most / processes, *std::max_element(costs.begin(), costs.end()));
  std::vector<size_t> best = first_members(costs, processes, most);
  for (int i = 0; i < kHalvings; ++i) {
    const double limit = i == 0 ? least : least + (most - least) / 2;
    std::vector<size_t> firsts = first_members(costs, processes, limit);
    (firsts.empty() ? least : most) = limit;
    if (!firsts.empty()) best = std::move(firsts);
  }
  return best;
}

std::vector<int64_t> bounds_of_members(const Rule& rule, const Range& range, int processes) {
  std::vector<double> costs;
  for (const Member& member : range.members) costs.push_back(rule.cost(member));
  const int64_t count = range.values.numel();
  std::vector<int64_t> bounds;
  for (const size_t first : balanced_members(costs, processes)) {
    const bool is_none = first == range.members.size();
    bounds.push_back(is_none ? count : first == 0 ? 0 : range.members[first].offset);
  }
  bounds.push_back(count);
  return bounds;
}

std::vector<int64_t> bounds_of(const Rule& rule, const Range& range, int processes) {
  switch (rule.division()) {
    case Division::elements: return bounds_of_elements(range.values.numel(), processes);
    case Division::members: return bounds_of_members(rule, range, processes);
    case Division::none: break;
  }
  // The last process' other parts are the smallest.
  std::vector<int64_t> bounds(static_cast<size_t>(processes) + 1);
  bounds.back() = range.values.numel();
  return bounds;
}

}  // namespace

std::vector<Part> divide(const Rule& rule, const Range& range, int processes) {
  const std::vector<int64_t> bounds = bounds_of(rule, range, processes);
  std::vector<Part> parts;
  for (size_t rank = 0; rank + 1 < bounds.size(); ++rank) {
    Part part{bounds[rank], bounds[rank + 1]};
    for (size_t i = 0; i < range.members.size(); ++i) {
      const Member& member = range.members[i];
      const int64_t begin = std::max(part.begin, member.offset);
      const int64_t end = std::min(part.end, member.offset + member.spec.count());
      if (begin >= end) continue;
      Member own = member;
      own.offset = begin - part.begin;
      if (end - begin < member.spec.count()) own.spec.shape = {end - begin};
      part.members.push_back(std::move(own));
      part.indices.push_back(i);
      part.firsts.push_back(begin - member.offset);
    }
    parts.push_back(std::move(part));
  }
  return parts;
}

Range range_of(const Part& part, const Range& range) {
  Range own = range;
  own.values = range.values.narrow(0, part.begin, part.end - part.begin);
  own.grads = range.grads.narrow(0, part.begin, part.end - part.begin);
  own.members = part.members;
  if (range.ages.defined()) own.ages = at::zeros({std::ssize(part.members)}, range.ages.options());
  return own;
}

std::vector<at::Tensor> state_within(const Part& part, const Range& range,
                                     const std::vector<tensor::NamedTensor>& state) {
  std::vector<at::Tensor> within;
  for (const tensor::NamedTensor& tensor : state) {
    const std::string_view parameter =
        std::string_view(tensor.name).substr(0, tensor.name.rfind('/'));
    for (size_t i = 0; i < part.members.size(); ++i) {
      const Member& own = part.members[i];
      if (own.spec.name != parameter) continue;
      const int64_t whole = range.members[part.indices[i]].spec.count(), count = own.spec.count();
      if (count == whole || tensor.value.dim() == 0) {  // an age belongs to every part
        within.push_back(tensor.value);
      } else {
        base::check(tensor.value.numel() == whole, "the state of a rule of elements has others");
        within.push_back(tensor.value.view({-1}).narrow(0, part.firsts[i], count));
      }
    }
  }
  return within;
}

}  // namespace muonlab::optim
