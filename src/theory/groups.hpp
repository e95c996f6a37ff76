// The associative memory of arXiv 2602.05725 in the task's basis: K = M C facts in M frequency
// groups of C, label noise a. From W = 0 on, the weights of every rule that commutes with
// permutations of a group's facts have the form below (block symmetry, theorem 6.1), so a
// path costs M x M matrices instead of K x K ones, exactly.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

namespace muonlab::theory {

struct GroupMatrix {
  std::vector<double> own,
      same;                   // by the key's group: on the diagonal; at its group's other objects
  std::vector<double> cross;  // [object's group * M + key's group], diagonal unused
  GroupMatrix stepped(double step, const GroupMatrix& direction) const;  // x - step * direction
  GroupMatrix signs() const;
};

class GroupedMemory {
 public:
  // p: frequencies of the groups, which sum to 1; `size` is C.
  GroupedMemory(std::vector<double> p, int64_t size, double noise);

  GroupMatrix zero() const;
  GroupMatrix gradient(const GroupMatrix& logits) const;
  GroupMatrix polar(const GroupMatrix& x) const;
  // Above the least loss that is possible with the label noise.
  double excess(const GroupMatrix& logits) const;
  double excess_of_group(const GroupMatrix& logits, size_t group) const;
  // Largest entry of |x - I|.
  double deviation_from_identity(const GroupMatrix& x) const;
  // The matrix itself, [object, key], K x K.
  at::Tensor whole(const GroupMatrix& x) const;

  size_t num_groups() const { return p_.size(); }
  double num_facts() const { return static_cast<double>(p_.size()) * size_; }

 private:
  struct Shares {
    double own, same;           // log-probabilities
    std::vector<double> cross;  // by the object's group
  };
  Shares log_shares(const GroupMatrix& logits, size_t key) const;

  std::vector<double> p_;
  double size_, noise_;
};

}  // namespace muonlab::theory
