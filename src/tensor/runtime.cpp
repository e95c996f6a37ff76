#include "muonlab/tensor/runtime.hpp"

#include <dlfcn.h>

#include <fstream>
#include <set>

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <torch/version.h>

#include "muonlab/tensor/plugin.hpp"

namespace muonlab::tensor {

void start_runtime(int64_t num_threads) {
  at::set_num_threads(static_cast<int>(num_threads));
  static const bool once = [] {
    at::set_num_interop_threads(1);
    return true;
  }();
  (void)once;
  at::globalContext().setDeterministicFillUninitializedMemory(false);
}

void each_on_one_thread(int64_t n, const std::function<void(int64_t)>& task) {
  struct Restore {
    int threads = at::get_num_threads();
    ~Restore() { at::set_num_threads(threads); }
  } const restore;
  at::parallel_for(0, n, 1, [&](int64_t begin, int64_t end) {
    // MKL counts its threads for each of ours; LAPACK's block sizes follow that count
    at::set_num_threads(1);
    for (int64_t i = begin; i < end; ++i) task(i);
  });
}

std::string cuda_problem() { return plugin::load(); }

LibtorchInfo libtorch_info() {
  LibtorchInfo info;
  info.version = TORCH_VERSION;
  info.parallel = at::get_parallel_info();
  Dl_info symbol{};
  if (dladdr(reinterpret_cast<void*>(&at::get_parallel_info), &symbol) != 0 &&
      symbol.dli_fname != nullptr) {
    info.path = symbol.dli_fname;
  }
  std::set<std::string> runtimes;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const size_t slash = line.find('/');
    if (slash == std::string::npos) continue;
    const std::string path = line.substr(slash);
    const std::string file = path.substr(path.rfind('/') + 1);
    for (const char* name : {"libgomp", "libiomp5", "libomp"}) {
      if (file.rfind(name, 0) == 0) runtimes.insert(path);
    }
  }
  info.num_openmp = static_cast<int>(runtimes.size());
  return info;
}

}  // namespace muonlab::tensor
