#include "memory_model.hpp"

#include <ATen/ATen.h>

#include "muonlab/base/error.hpp"
#include "muonlab/theory/matrices.hpp"

namespace muonlab::theory {
namespace {

// (I ⊗ block) x and x (I ⊗ block).
at::Tensor blocks_times(const at::Tensor& block, const at::Tensor& x) {
  const int64_t n = x.size(0), b = block.size(0);
  return at::matmul(block, x.reshape({n / b, b, x.size(1)})).reshape({n, x.size(1)});
}
at::Tensor times_blocks(const at::Tensor& x, const at::Tensor& block) {
  const int64_t b = block.size(0);
  return at::mm(x.reshape({-1, b}), block).reshape(x.sizes());
}

}  // namespace

MemoryModel::MemoryModel(const std::vector<double>& p, MemoryEmbedding embedding)
    : p_(as_tensor(p)) {
  if (embedding == MemoryEmbedding::decoupled) return;
  base::check(num_facts() % 3 == 0, "coupled embeddings come in blocks of three");
  const CoupledRotations rotations = coupled_rotations();
  object_block_ = rotations.objects;
  key_block_ = rotations.keys;
}

at::Tensor MemoryModel::logits(const at::Tensor& weights) const {
  if (!object_block_.defined()) return weights;
  return times_blocks(blocks_times(key_block_.t(), weights), object_block_);
}

at::Tensor MemoryModel::gradient(const at::Tensor& logits) const {
  at::Tensor error = at::softmax(logits, 1);
  error.diagonal().zero_();
  // A key's errors sum to zero: exact also where the correct probability rounds to 1.
  error.diagonal().copy_(-error.sum(1));
  error.mul_(p_.unsqueeze(1));
  if (!object_block_.defined()) return error;
  return times_blocks(blocks_times(key_block_, error), object_block_.t());
}

MemoryModel::Measure MemoryModel::measure(const at::Tensor& logits) const {
  const at::Tensor log_p = logits.diagonal() - at::logsumexp(logits, 1);
  const at::Tensor correct = log_p.exp();
  const double least = correct.min().item<double>();
  return {-p_.dot(log_p).item<double>(), correct.max().item<double>() - least, least};
}

CoupledRotations coupled_rotations() {
  return {euler_rotation(3.638, 2.949, 5.218), euler_rotation(1.715, 0.876, 3.098)};
}

CoupledSign coupled_sign() {
  return {as_tensor({2, 0, 0, 2, 0, 2, -2, -2, -2}).view({3, 3}),
          as_tensor({-1, -1, -1, -1, -1, -1, 1, 1, 1}).view({3, 3})};
}

}  // namespace muonlab::theory
