#include "ops/instruction_set.hpp"

#if defined(__x86_64__)
#include <cpuid.h>

namespace muonlab::ops {

bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

bool has_avx512_bf16() { return has_avx512() && __builtin_cpu_supports("avx512bf16"); }

// Leaf 7, EDX bit 22 (Intel's instruction set reference, CPUID).
bool has_amx_bf16() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d & (1u << 22)) != 0;
}

bool is_intel() { return __builtin_cpu_is("intel"); }

}  // namespace muonlab::ops

#else

namespace muonlab::ops {

bool has_avx512() { return false; }
bool has_avx512_bf16() { return false; }
bool has_amx_bf16() { return false; }
bool is_intel() { return false; }

}  // namespace muonlab::ops
#endif
