// The plugin's door: its kernels as operators of the library "muonlab" for tensors on a GPU.
// include/muonlab/tensor/plugin.hpp says what each computes and calls them.
#include <ATen/cuda/CUDAContext.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include "cuda/operators.hpp"

namespace muonlab::cuda {
namespace {

struct DeviceGrid {
  struct Guard {
    explicit Guard(const at::Tensor& x) : device(x.device()) {}
    c10::cuda::CUDAGuard device;
  };

  template <class Body>
  static void start(const Body& body, Launch how) {
    how.stream = c10::cuda::getCurrentCUDAStream().stream();
    launch(body, how);
    C10_CUDA_KERNEL_LAUNCH_CHECK();
  }
};

class CudaGraph final : public tensor::plugin::Graph {
 public:
  explicit CudaGraph(const std::function<void()>& work) {
    // A graph cannot be captured on the default stream; what was enqueued there comes first.
    const c10::cuda::CUDAStream side = c10::cuda::getStreamFromPool();
    c10::cuda::getCurrentCUDAStream().synchronize();
    const c10::cuda::CUDAStreamGuard guard(side);
    graph_.capture_begin();
    try {
      work();
    } catch (...) {
      graph_.capture_end();
      throw;
    }
    graph_.capture_end();
  }
  void replay() override { graph_.replay(); }

 private:
  at::cuda::CUDAGraph graph_;
};

}  // namespace

TORCH_LIBRARY_FRAGMENT(muonlab, library) {
  define_operators<DeviceGrid>(library, c10::DispatchKey::CUDA);
}

}  // namespace muonlab::cuda

#define MUONLAB_EXPORT extern "C" __attribute__((visibility("default")))

// The functions that src/tensor/plugin.cpp asks for by name once the plugin is loaded.

MUONLAB_EXPORT muonlab::tensor::plugin::Graph* muonlab_cuda_capture(
    const std::function<void()>& work) {
  return new muonlab::cuda::CudaGraph(work);
}

MUONLAB_EXPORT void muonlab_cuda_gpu(muonlab::tensor::plugin::Gpu& gpu) {
  const cudaDeviceProp* properties = at::cuda::getCurrentDeviceProperties();
  gpu.name = properties->name;
  gpu.capability = 10 * properties->major + properties->minor;
  size_t free_bytes = 0, total_bytes = 0;
  C10_CUDA_CHECK(cudaMemGetInfo(&free_bytes, &total_bytes));
  gpu.free_bytes = static_cast<int64_t>(free_bytes);
  gpu.total_bytes = static_cast<int64_t>(total_bytes);
  C10_CUDA_CHECK(cudaDriverGetVersion(&gpu.driver));
}

// Why no GPU can be used, or null.
MUONLAB_EXPORT const char* muonlab_cuda_problem() {
  int num_devices = 0;
  const cudaError_t status = cudaGetDeviceCount(&num_devices);
  if (status != cudaSuccess) return cudaGetErrorString(status);
  if (num_devices == 0) return "no GPU";
  int major = 0;
  const cudaError_t asked = cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0);
  if (asked != cudaSuccess) return cudaGetErrorString(asked);
  return major >= 8 ? nullptr : "the GPU is older than compute capability 8.0, and bf16 needs that";
}
