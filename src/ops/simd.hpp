// What the kernel sources share: versions for each instruction set, bf16 as bits, an exponential
// that vectorizes. Kernels are loops over raw pointers; `#pragma omp simd` marks the loops that
// must become vector code, and also fixes the order of their sums for a given instruction set. No
// kernel source includes ATen.
#pragma once

#include <bit>
#include <cstdint>

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define MUONLAB_KERNEL __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define MUONLAB_KERNEL
#endif
#define MUONLAB_INLINE inline __attribute__((always_inline))

namespace muonlab::ops {

// A bf16 number as bits: the upper half of a float.
struct Bf16 {
  uint16_t bits;
};

MUONLAB_INLINE float load(const float* p, int64_t i) { return p[i]; }
MUONLAB_INLINE float load(const Bf16* p, int64_t i) {
  return std::bit_cast<float>(static_cast<uint32_t>(p[i].bits) << 16);
}

MUONLAB_INLINE void store(float* p, int64_t i, float x) { p[i] = x; }
// To the nearest, ties to even; NaN stays NaN.
MUONLAB_INLINE void store(Bf16* p, int64_t i, float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  p[i].bits = static_cast<uint16_t>(x != x ? 0x7fc0u : rounded);
}

// e^x, relative error below 2e-7 for -87 < x < 88; 0 … 1.2e-38 below, about 2.4e38 above; NaN stays
// NaN. x = n ln 2 + r, a polynomial on |r| <= ln 2 / 2 (coefficients of Cephes' expf), 2^n by
// exponent bits.
MUONLAB_INLINE float exp_fast(float x) {
  x = x < -87.3f ? -87.3f : x;
  x = x > 88.3f ? 88.3f : x;
  const float shifted =
      x * 1.44269504088896341f + 12582912.0f;  // 1.5 * 2^23: rounds to an integer in the low bits
  const float n = shifted - 12582912.0f;
  float r = x - n * 0.693359375f;
  r = r + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  return p * std::bit_cast<float>((std::bit_cast<uint32_t>(shifted) << 23) + 0x3f800000u);
}

MUONLAB_INLINE float sigmoid_fast(float x) { return 1.0f / (1.0f + exp_fast(-x)); }

}  // namespace muonlab::ops
