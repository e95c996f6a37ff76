#include "muonlab/tensor/plugin.hpp"

#include <dlfcn.h>

#include <filesystem>

#include <ATen/Context.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include "muonlab/base/error.hpp"

namespace muonlab::tensor::plugin {
namespace {

using Optional = std::optional<at::Tensor>;

// Never closed: LibTorch keeps pointers into what it loaded.
std::string load_once() {
  void* driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
  if (driver == nullptr) return "no NVIDIA driver (libcuda.so.1) on this machine";
  dlclose(driver);
  for (const std::string& path : candidates()) {
    if (std::filesystem::exists(path)) return load_file(path);
  }
  return base::str("this build has no CUDA plugin (", candidates().front(),
                   "): build with a CUDA LibTorch and nvcc (MUONLAB_CUDA=ON)");
}

template <class Signature>
c10::TypedOperatorHandle<Signature> find(const char* name) {
  const auto found = c10::Dispatcher::singleton().findSchema({name, ""});
  if (!found)
    throw base::Bug(base::str(name, ": the CUDA plugin is not loaded; ask has_kernels first"));
  return found->typed<Signature>();
}

}  // namespace

std::vector<std::string> candidates() {
  namespace fs = std::filesystem;
  std::error_code ignored;
  const fs::path folder = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  const std::string name = "libmuonlab_cuda.so";
  return {folder / name, (folder / ".." / "lib" / name).lexically_normal()};
}

std::string load() {
  static const std::string problem = load_once();
  return problem;
}

std::string load_file(const std::string& path) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (library == nullptr) return base::str("the CUDA plugin did not load: ", dlerror());
  auto* problem = reinterpret_cast<const char* (*)()>(dlsym(library, "muonlab_cuda_problem"));
  if (problem == nullptr) return base::str(path, " is no CUDA plugin of muonlab");
  if (const char* why = problem()) return base::str("the CUDA plugin found no GPU to use: ", why);
  if (!at::hasCUDA()) return "LibTorch's CUDA part is loaded, but sees no GPU";
  return "";
}

bool has_kernels(const at::Tensor& x) {
  return x.is_cuda() &&
         c10::Dispatcher::singleton().findSchema({"muonlab::adamw_", ""}).has_value();
}

void adamw_(const at::Tensor& values, const at::Tensor& grads, const at::Tensor& exp_avg,
            const at::Tensor& exp_avg_sq, const Optional& shadow, double lr, double beta1,
            double beta2, double eps, double decay, int64_t age) {
  find<decltype(adamw_)>("muonlab::adamw_")
      .call(values, grads, exp_avg, exp_avg_sq, shadow, lr, beta1, beta2, eps, decay, age);
}

std::tuple<at::Tensor, at::Tensor> rms_norm(const at::Tensor& x, const Optional& gain, double eps,
                                            at::ScalarType compute) {
  return find<decltype(rms_norm)>("muonlab::rms_norm").call(x, gain, eps, compute);
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> add_rms_norm(const at::Tensor& residual,
                                                            const at::Tensor& branch,
                                                            const Optional& gain, double eps,
                                                            at::ScalarType compute) {
  return find<decltype(add_rms_norm)>("muonlab::add_rms_norm")
      .call(residual, branch, gain, eps, compute);
}

at::Tensor rms_norm_backward(const at::Tensor& grad_normed, const Optional& grad_residual,
                             const at::Tensor& x, const at::Tensor& inv_rms, const Optional& gain,
                             const Optional& grad_gain) {
  return find<decltype(rms_norm_backward)>("muonlab::rms_norm_backward")
      .call(grad_normed, grad_residual, x, inv_rms, gain, grad_gain);
}

at::Tensor swiglu(const at::Tensor& x) { return find<decltype(swiglu)>("muonlab::swiglu").call(x); }

at::Tensor swiglu_backward(const at::Tensor& grad_out, const at::Tensor& x) {
  return find<decltype(swiglu_backward)>("muonlab::swiglu_backward").call(grad_out, x);
}

}  // namespace muonlab::tensor::plugin
