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
  const bool fused = kernels == config::Kernels::fused;
  // The fused step has not run on a GPU yet, so that it is never chosen in silence.
  const bool tries_cuda = device == Device::cuda || (device == Device::automatic && !fused);
  const std::string problem = tries_cuda ? cuda_problem() : "";
  if (device == Device::cuda && !problem.empty()) {
    throw base::Error("device: cuda cannot be used: ", problem,
                      ". Use \"device\": \"cpu\" or \"auto\".");
  }
  if (tries_cuda && problem.empty()) return {at::kCUDA, fused ? Path::cuda : Path::reference};
  return {at::kCPU, fused ? Path::cpu : Path::reference};
}

}  // namespace muonlab::tensor
