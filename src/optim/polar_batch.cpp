#include "optim/polar_batch.hpp"

#include <algorithm>
#include <map>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include "muonlab/tensor/runtime.hpp"
#include "optim/panels.hpp"

namespace muonlab::optim {

Division division_of(const Range& range, const PolarSettings& settings) {
  const bool alone = settings.orthogonalizer == config::Orthogonalizer::svd || panels_available();
  return alone || range.composed ? Division::members : Division::none;
}

std::vector<std::vector<size_t>> members_by_shape(
    const Range& range, const std::function<bool(const Member&)>& wanted) {
  std::map<std::vector<int64_t>, std::vector<size_t>> by_shape;
  for (size_t i = 0; i < range.members.size(); ++i) {
    if (wanted(range.members[i])) by_shape[range.members[i].spec.shape].push_back(i);
  }
  std::vector<std::vector<size_t>> groups;
  for (auto& [shape, group] : by_shape) groups.push_back(std::move(group));
  return groups;
}

void for_each_matrix(const Range& range, size_t n, const std::function<void(size_t)>& task) {
  if (range.composed) {
    for (size_t i = 0; i < n; ++i) task(i);
    return;
  }
  tensor::each_on_one_thread(static_cast<int64_t>(n), [&](int64_t i) {
    const at::NoGradGuard no_grad;
    task(static_cast<size_t>(i));
  });
}

void for_polar_factors(const Range& range, const PolarSettings& settings,
                       const std::vector<size_t>& members,
                       const std::function<at::Tensor(size_t)>& direction,
                       const std::function<void(size_t, at::Tensor)>& use) {
  constexpr int64_t kPieceValues = 1 << 18;  // for each thread
  if (members.empty()) return;
  const int64_t values = range.members[members.front()].spec.count();
  const auto piece =
      static_cast<size_t>(at::get_num_threads() * std::max<int64_t>(1, kPieceValues / values));
  for (size_t begin = 0; begin < members.size(); begin += piece) {
    const size_t n = std::min(piece, members.size() - begin);
    std::vector<at::Tensor> directions(n);
    for_each_matrix(range, n, [&](size_t i) { directions[i] = direction(members[begin + i]); });
    const at::Tensor polar_nrc = orthogonalize(at::stack(directions), settings.orthogonalizer,
                                               settings.steps, settings.dtype);
    for_each_matrix(range, n, [&](size_t i) {
      use(members[begin + i], polar_nrc[static_cast<int64_t>(i)].to(at::kFloat));
    });
  }
}

}  // namespace muonlab::optim
