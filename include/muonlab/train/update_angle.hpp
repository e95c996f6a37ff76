// How far apart the updates of AdamW and Muon lie for one matrix.
#pragma once

#include <ATen/core/Tensor.h>

namespace muonlab::train {

// Degrees between the two directions, both formed from the first moment M [r, c] that the matrix's
// own rule keeps: Muon's is the polar factor of M (Newton–Schulz, "exact", the matrix as a whole);
// Adam's is M / sqrt(V) where the rule keeps a second moment V, and sign(M), which is Adam without
// a memory of squares, where it keeps none (`second` undefined). Where V is 0, so is Adam's
// direction. NaN where either direction is zero.
double adam_muon_angle_deg(const at::Tensor& first, const at::Tensor& second);

}  // namespace muonlab::train
