// Softmax cross-entropy on rows of logits.
#pragma once

#include <cstdint>

#include "ops/simd.hpp"

namespace muonlab::ops {

// Rows [begin, end) of logits [n, stride], v <= stride. losses[r] = log(sum exp) - logit of the
// target, 0 where the target is `ignored`. With `scale` > 0 the logits become their gradients in
// place: scale * (softmax - one hot), 0 where ignored and in the columns v … stride - 1. scratch
// holds v floats.
void softmax_cross_entropy(float* logits, const int64_t* targets, float* losses, float* scratch,
                           float scale, int64_t v, int64_t stride, int64_t ignored, int64_t begin,
                           int64_t end);
void softmax_cross_entropy(Bf16* logits, const int64_t* targets, float* losses, float* scratch,
                           float scale, int64_t v, int64_t stride, int64_t ignored, int64_t begin,
                           int64_t end);

}  // namespace muonlab::ops
