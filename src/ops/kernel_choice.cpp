// Which of our kernels this machine runs.
#include <atomic>

#include "muonlab/base/cpu.hpp"
#include "ops/attention_kernel.hpp"
#include "ops/gemm_kernel.hpp"

namespace muonlab::ops {
namespace {

std::atomic<bool> is_attention_allowed{true}, is_gemm_allowed{true};

// What the kernels are compiled for: F, BW, DQ and VL; bf16 beside them.
bool has_avx512() {
  static const bool has =
      base::has_instruction_set("avx512f") && base::has_instruction_set("avx512bw") &&
      base::has_instruction_set("avx512dq") && base::has_instruction_set("avx512vl");
  return has;
}

bool has_avx512_bf16() { return has_avx512() && base::has_instruction_set("avx512_bf16"); }

}  // namespace

void allow_attention_kernel(bool allowed) { is_attention_allowed = allowed; }
void allow_gemm_kernel(bool allowed) { is_gemm_allowed = allowed; }

bool has_attention_kernel(const float*) { return has_avx512() && is_attention_allowed; }
bool has_attention_kernel(const Bf16*) { return has_avx512_bf16() && is_attention_allowed; }

// On Intel's processors MKL does as well in fp32, and oneDNN uses AMX for bf16.
bool has_gemm_kernel(const float*) {
  static const bool suits = has_avx512() && !base::is_intel();
  return suits && is_gemm_allowed;
}
bool has_gemm_kernel(const Bf16*) {
  static const bool suits = has_avx512_bf16() && !base::has_instruction_set("amx_bf16");
  return suits && is_gemm_allowed;
}

}  // namespace muonlab::ops
