#include <algorithm>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "muonlab/base/error.hpp"
#include "muonlab/optim/rule.hpp"

namespace muonlab::optim {

double Rule::cost(const Member& member) const {
  const auto& shape = member.spec.shape;
  const int64_t short_side = shape.size() == 2 ? std::min(shape[0], shape[1]) : 1;
  return static_cast<double>(member.spec.count()) * static_cast<double>(short_side);
}

at::Tensor Range::view(const at::Tensor& flat, const Member& member) const {
  return flat.narrow(0, member.offset, member.spec.count()).view(member.spec.shape);
}

std::vector<Segment> Range::segments() const {
  std::vector<Segment> segments;
  const int64_t* age = ages.const_data_ptr<int64_t>();
  for (size_t i = 0; i < members.size(); ++i) {
    if (!segments.empty() && segments.back().age == age[i]) continue;
    if (!segments.empty()) segments.back().end = members[i].offset;
    segments.push_back({members[i].offset, values.numel(), age[i]});
  }
  return segments;
}

void in_parts(int64_t n, const std::function<void(int64_t first, int64_t count)>& work) {
  at::parallel_for(0, n, 1 << 14, [&](int64_t begin, int64_t end) { work(begin, end - begin); });
}

std::vector<tensor::NamedTensor> named_state(const Range& range, const at::Tensor& flat,
                                             std::string_view name) {
  std::vector<tensor::NamedTensor> result;
  result.reserve(range.members.size());
  for (const Member& member : range.members) {
    result.push_back({base::str(member.spec.name, "/", name), range.view(flat, member)});
  }
  return result;
}

}  // namespace muonlab::optim
