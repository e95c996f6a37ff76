#include "muonlab/ops/embedding.hpp"

#include <ATen/ATen.h>

#include "muonlab/base/error.hpp"

namespace muonlab::ops {
namespace {

void check_tokens(const at::Tensor& tokens_n, int64_t vocabulary) {
  base::check(tokens_n.scalar_type() == at::kLong && tokens_n.is_contiguous(), "token ids are contiguous int64");
  if (!tokens_n.is_cpu()) return;
  const int64_t* tokens = tokens_n.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < tokens_n.numel(); ++i) {
    if (tokens[i] < 0 || tokens[i] >= vocabulary) {
      throw base::Error("token id ", tokens[i], " at position ", i, " of the batch is outside the vocabulary of ",
                        vocabulary, "; the data and the model must use the same tokenizer");
    }
  }
}

}  // namespace

at::Tensor embedding(config::Kernels /*kernels*/, const at::Tensor& tokens_n, const tensor::Parameter& weight) {
  check_tokens(tokens_n, weight.value.size(0));
  return at::embedding(weight.value, tokens_n);
}

}  // namespace muonlab::ops
