// Matrix products in AVX-512 tiles (for bf16 also its dot product): operands packed for the tiles,
// and the product itself.
//
// A product C[m, n] (+)= A[m, k] B[k, n] takes A with neighbouring k side by side, and B as panels
// of 64 columns: panel p holds k units of the columns 64 p … 64 p + 63, where a unit is one float
// or two bf16 numbers neighbouring in k.
#pragma once

#include <cstdint>

#include "ops/simd.hpp"

namespace muonlab::ops {

// Whether this machine has the instructions, and nothing better for this number type; the functions
// below REQUIRE it.
bool has_gemm_kernel(const float*);
bool has_gemm_kernel(const Bf16*);
// Off makes has_gemm_kernel say no: tests of the way without.
void allow_gemm_kernel(bool allowed);

inline constexpr int64_t kPanelColumns = 64;
inline int64_t num_panels(int64_t n) { return (n + kPanelColumns - 1) / kPanelColumns; }
inline int64_t units(const float*, int64_t k) { return k; }
inline int64_t units(const Bf16*, int64_t k) { return (k + 1) / 2; }
// 32-bit numbers of a packed B.
inline int64_t panel_stride(int64_t k_units) { return (k_units + 15) / 16 * 16 * kPanelColumns; }

// Panels [begin, end) of B = W^T for W [n, k] with rows `stride` apart; bf16: k and stride even.
void pack_transposed(const float* w, int64_t stride, int64_t n, int64_t k, uint32_t* panels,
                     int64_t begin, int64_t end);
void pack_transposed(const Bf16* w, int64_t stride, int64_t n, int64_t k, uint32_t* panels,
                     int64_t begin, int64_t end);
// Panels [begin, end) of B [k, n] with rows `stride` apart.
void pack_natural(const float* b, int64_t stride, int64_t k, int64_t n, uint32_t* panels,
                  int64_t begin, int64_t end);
void pack_natural(const Bf16* b, int64_t stride, int64_t k, int64_t n, uint32_t* panels,
                  int64_t begin, int64_t end);
// Rows 16 * [begin, end) of A = X^T for X [k, m]: out [m up to a multiple of 16,
// transposed_a_stride(k units)].
inline int64_t transposed_a_stride(int64_t k_units) { return (k_units + 15) / 16 * 16 + 16; }
void pack_transposed_a(const float* x, int64_t stride, int64_t k, int64_t m, uint32_t* out,
                       int64_t begin, int64_t end);
void pack_transposed_a(const Bf16* x, int64_t stride, int64_t k, int64_t m, uint32_t* out,
                       int64_t begin, int64_t end);

// A product's operands; a_stride in units.
struct Gemm {
  int64_t m = 0, n = 0, k_units = 0;
  const void* a = nullptr;
  int64_t a_stride = 0;
  const uint32_t* panels = nullptr;
  // The rows fall into blocks that differ by one tile at most, so that tasks are of one size.
  int64_t num_row_blocks() const;
  int64_t first_row(int64_t block) const;
  int64_t num_tasks() const { return num_row_blocks() * num_panels(n); }
};

// Tasks [begin, end): C = A B, or C += A B for fp32. `unit` picks the number type of A and B.
void multiply(const Gemm& gemm, const float* unit, float* c, int64_t stride, bool add,
              int64_t begin, int64_t end);
void multiply(const Gemm& gemm, const Bf16* unit, float* c, int64_t stride, bool add, int64_t begin,
              int64_t end);
void multiply(const Gemm& gemm, const Bf16* unit, Bf16* c, int64_t stride, bool add, int64_t begin,
              int64_t end);

}  // namespace muonlab::ops
