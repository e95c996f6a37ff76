// A rule's range, divided among several processes.
#pragma once

#include <string_view>
#include <vector>

#include "muonlab/optim/rule.hpp"

namespace muonlab::optim {

// What one process updates: elements [begin, end) of the range, which may be none. The parts of all
// processes, one after the other, are the range.
struct Part {
  int64_t begin = 0, end = 0;
  // Those that lie in it. One of which only some elements do is flat and has their number as its
  // shape.
  std::vector<Member> members{};
  // Of the members: the index in the range, and the member's first element that lies in the part.
  std::vector<size_t> indices{};
  std::vector<int64_t> firsts{};
};

// By rule.division() and rule.cost(): a part for each process, of costs as equal as neighbouring
// members in the order of the range allow.
std::vector<Part> divide(const Rule& rule, const Range& range, int processes);

// The range of a part. Its ages, where `range` has them, are zeros.
Range range_of(const Part& part, const Range& range);

// Those of the range's state tensors ("<parameter>/<state>") that belong to the part, in their
// order: views.
std::vector<at::Tensor> state_within(const Part& part, const Range& range,
                                     const std::vector<tensor::NamedTensor>& state);

}  // namespace muonlab::optim
