// Which keys a query sees besides the causal rule: windows and borders of documents.
#pragma once

#include <ATen/core/Tensor.h>

#include "muonlab/ops/attention_spec.hpp"

namespace muonlab::ops {

// tokens int64 [b, t] -> the position of the first key that each query sees, int32 [b, t];
// undefined where the attention has neither a window nor documents. A token document_start belongs
// to the document that it begins.
at::Tensor first_keys(const at::Tensor& tokens_bt, const AttentionSpec& spec);

}  // namespace muonlab::ops
