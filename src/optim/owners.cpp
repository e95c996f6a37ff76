#include "optim/owners.hpp"

#include <algorithm>
#include <numeric>

namespace muonlab::optim {
namespace {

double cost_of(const Member& member) {
  const auto rows = static_cast<double>(member.spec.shape[0]);
  const auto cols = static_cast<double>(member.spec.shape[1]);
  return rows * cols * std::min(rows, cols);
}

}  // namespace

std::vector<int> balanced_owners(const std::vector<Member>& members, int processes) {
  std::vector<size_t> order(members.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return cost_of(members[a]) > cost_of(members[b]); });
  std::vector<double> load(static_cast<size_t>(processes));
  std::vector<int> owners(members.size());
  for (const size_t i : order) {
    const auto least = std::min_element(load.begin(), load.end());
    *least += cost_of(members[i]);
    owners[i] = static_cast<int>(least - load.begin());
  }
  return owners;
}

size_t member_at(const std::vector<Member>& members, int64_t offset) {
  const auto after =
      std::upper_bound(members.begin(), members.end(), offset,
                       [](int64_t at, const Member& member) { return at < member.offset; });
  return static_cast<size_t>(after - members.begin()) - 1;
}

}  // namespace muonlab::optim
