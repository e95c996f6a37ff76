#include "muonlab/tensor/path.hpp"

#include "muonlab/base/error.hpp"
#include "muonlab/tensor/runtime.hpp"

namespace muonlab::tensor {

std::string_view path_name(Path path) {
  switch (path) {
    case Path::cpu: return "cpu";
    case Path::cuda: return "cuda";
    case Path::reference: return "reference";
  }
  throw base::Bug("path_name: a path without a case");
}

Place choose_place(config::Device device, config::Kernels kernels) {
  using config::Device;
  using config::Kernels;
  const bool fused = kernels == Kernels::fused;
  if (device == Device::cuda && fused) {
    throw base::Error(
        "kernels: the fused kernels have no CUDA versions yet, so device cuda cannot run them. Set "
        "\"kernels\": \"reference\" to train on a GPU with LibTorch's own operators, or "
        "\"device\": "
        "\"cpu\".");
  }
  const bool tries_cuda = device != Device::cpu && !fused;
  const std::string problem = tries_cuda ? cuda_problem() : "";
  if (device == Device::cuda && !problem.empty()) {
    throw base::Error("device: cuda cannot be used: ", problem,
                      ". Use \"device\": \"cpu\" or \"auto\".");
  }
  const bool on_cuda = tries_cuda && problem.empty();
  return {on_cuda ? at::kCUDA : at::kCPU, fused ? Path::cpu : Path::reference};
}

}  // namespace muonlab::tensor
