// Newton–Schulz on processors with AVX-512 and its bf16 dot product: about a quarter fewer FLOPs
// than three matrix products an iteration, since of the two symmetric ones (X Xᵀ and b A + c A A)
// one triangle is computed and mirrored.
//
// Every operand is kept in panels: 48 rows of a matrix, stored column by column, so that a step
// along the sum loads 48 neighbours. In bf16 a word holds two columns (what one dot-product
// instruction adds), in fp32 one. A product reads both factors in that form, L Rᵀ, and writes its
// result in the forms that the next product reads; nothing is repacked.
#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include "muonlab/optim/orthogonalize.hpp"

namespace muonlab::optim {

// Whether this processor runs the panel form at its best: AVX-512 with bf16, and no AMX, which the
// library's own matrix products use.
bool panels_available();

// newton_schulz() in panel form, in place; x_nsl as there. Each entry is summed in one order,
// whatever the number of threads and of matrices. `workspace` is any tensor kept from call to call;
// it grows.
void newton_schulz_panels(const at::Tensor& x_nsl, const Coefficients& coefficients,
                          at::Tensor& workspace);

// The same for one matrix [s, l] on the calling thread alone; `workspace` has
// panel_workspace_bytes(). T: float or at::BFloat16.
template <class T>
int64_t panel_workspace_bytes(int64_t s, int64_t l);
template <class T>
void newton_schulz_panels_alone(T* x, int64_t s, int64_t l, const Coefficients& coefficients,
                                void* workspace);

}  // namespace muonlab::optim
