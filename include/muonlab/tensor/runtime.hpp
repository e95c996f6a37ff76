// The process's view of LibTorch: threads, GPU, libraries.
#pragma once

#include <functional>
#include <string>

#include <ATen/core/Tensor.h>

#include "muonlab/config/run.hpp"

namespace muonlab::tensor {

// Call once, before any tensor work: compute threads, one inter-op thread, no fill of fresh memory.
void start_runtime(int64_t num_threads);

// task(0) … task(n - 1), shared among the compute threads, each with the matrix products and
// decompositions inside it on one thread. What a task computes does not depend on the number of
// threads, and LAPACK's threads do not wait for each other. Not from within a parallel region.
void each_on_one_thread(int64_t n, const std::function<void(int64_t)>& task);

// Why there is no GPU to use, or empty.
std::string cuda_problem();

struct LibtorchInfo {
  std::string version;   // of the headers compiled against
  std::string path;      // of the loaded libtorch_cpu.so
  std::string parallel;  // at::get_parallel_info()
  int num_openmp = 0;    // OpenMP runtimes mapped into the process; 1 is right
};
LibtorchInfo libtorch_info();

}  // namespace muonlab::tensor
