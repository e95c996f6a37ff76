// How fast this machine multiplies matrices, by the very products that training runs.
#pragma once

#include <cstdint>

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include "muonlab/config/run.hpp"

namespace muonlab::ops {

// GFLOP/s of square products x w^T (2 n^3 FLOPs each) in fp32 or bf16: the best of the repetitions
// that fit into about `budget_s`.
double gemm_gflops(at::ScalarType dtype, int64_t n, double budget_s, at::Device device = at::kCPU);
// GB/s of a copy within the device's memory, bytes read and written together.
double copy_gigabytes(at::Device device, double budget_s);
// What "% of GEMM peak" refers to: the best rate over sizes that stay in the caches and sizes that
// do not, in the run's precision.
double gemm_peak_gflops(config::Precision precision, double budget_s, at::Device device = at::kCPU);

}  // namespace muonlab::ops
