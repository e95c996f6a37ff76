// Which of several processes updates which matrix.
#pragma once

#include <vector>

#include "muonlab/optim/rule.hpp"

namespace muonlab::optim {

// The owner of each member, a matrix: the costliest first, each to the process that has least so
// far. The cost is that of an iteration, s² l with s the short side.
std::vector<int> balanced_owners(const std::vector<Member>& members, int processes);
// The member that holds the element at `offset` of the range.
size_t member_at(const std::vector<Member>& members, int64_t offset);

}  // namespace muonlab::optim
