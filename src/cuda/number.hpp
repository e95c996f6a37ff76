// Numbers in memory: bf16, and groups of neighbours that are read and written at once.
#pragma once

#include <cstdint>
#include <cstring>

// The arithmetic of the kernels is compiled twice: by nvcc for the device, where it runs, and by
// the C++ compiler for the host, where it is tested. MUONLAB_KERNEL marks what is the same text in
// both.
#ifdef __CUDACC__
#define MUONLAB_KERNEL __device__ __forceinline__
#else
#define MUONLAB_KERNEL inline
#endif

namespace muonlab::cuda {

// The upper half of a float.
struct Bf16 {
  uint16_t bits;
};

MUONLAB_KERNEL uint32_t bits_of(float value) {
#ifdef __CUDACC__
  return __float_as_uint(value);
#else
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
#endif
}

MUONLAB_KERNEL float float_of(uint32_t bits) {
#ifdef __CUDACC__
  return __uint_as_float(bits);
#else
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
#endif
}

MUONLAB_KERNEL float widen(float value) { return value; }
MUONLAB_KERNEL float widen(Bf16 value) { return float_of(static_cast<uint32_t>(value.bits) << 16); }

MUONLAB_KERNEL void narrow(float value, float& out) { out = value; }
// To nearest, ties to even; a NaN becomes the quiet one, as in c10::BFloat16.
MUONLAB_KERNEL void narrow(float value, Bf16& out) {
  const uint32_t bits = bits_of(value);
  const bool is_nan = (bits & 0x7fffffffu) > 0x7f800000u;
  out.bits = static_cast<uint16_t>(is_nan ? 0x7fc0u : (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

// kSize neighbours. REQUIRES of load and store: the address is a multiple of sizeof(Number) *
// kSize.
template <class Number, int kSize>
struct alignas(sizeof(Number) * kSize) Pack {
  Number at[kSize];
};

template <int kSize, class Number>
MUONLAB_KERNEL Pack<Number, kSize> load(const Number* from) {
  return *reinterpret_cast<const Pack<Number, kSize>*>(from);
}

template <int kSize, class Number>
MUONLAB_KERNEL void store(Number* to, const Pack<Number, kSize>& pack) {
  *reinterpret_cast<Pack<Number, kSize>*>(to) = pack;
}

}  // namespace muonlab::cuda
