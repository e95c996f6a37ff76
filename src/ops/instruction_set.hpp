// What this machine's processor offers the kernels.
#pragma once

namespace muonlab::ops {

bool has_avx512();       // F, BW, DQ and VL
bool has_avx512_bf16();  // and BF16
bool has_amx_bf16();
bool is_intel();

}  // namespace muonlab::ops
