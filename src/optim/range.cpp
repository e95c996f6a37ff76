#include <ATen/ATen.h>

#include "muonlab/optim/rule.hpp"

namespace muonlab::optim {

at::Tensor Range::view(const at::Tensor& flat, const Member& member) const {
  return flat.narrow(0, member.offset, member.spec.count()).view(member.spec.shape);
}

std::vector<tensor::NamedTensor> named_state(const Range& range, const at::Tensor& flat,
                                             const std::string& name) {
  std::vector<tensor::NamedTensor> result;
  result.reserve(range.members.size());
  for (const Member& member : range.members) {
    result.push_back({member.spec.name + "/" + name, range.view(flat, member)});
  }
  return result;
}

}  // namespace muonlab::optim
