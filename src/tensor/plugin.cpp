#include "muonlab/tensor/plugin.hpp"

#include <dlfcn.h>

#include <filesystem>

#include <ATen/Context.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include "muonlab/base/error.hpp"

namespace muonlab::tensor::plugin {
namespace {

using Optional = std::optional<at::Tensor>;

void* loaded = nullptr;  // the plugin

template <class Function>
Function* exported(const char* name) {
  auto* function = loaded == nullptr ? nullptr : reinterpret_cast<Function*>(dlsym(loaded, name));
  if (function == nullptr) throw base::Bug(base::str(name, ": the CUDA plugin is not loaded"));
  return function;
}

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
  if (!found) throw base::Bug(base::str(name, ": the CUDA plugin is not loaded"));
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
  loaded = library;
  return "";
}

bool has_kernels(const at::Tensor& x) {
  return x.is_cuda() &&
         c10::Dispatcher::singleton().findSchema({"muonlab::adamw_", ""}).has_value();
}

Gpu gpu() {
  Gpu gpu;
  exported<void(Gpu&)>("muonlab_cuda_gpu")(gpu);
  return gpu;
}

int compute_capability() {
  static const int capability = loaded == nullptr ? 0 : gpu().capability;
  return capability;
}

std::unique_ptr<Graph> capture(const std::function<void()>& work) {
  return std::unique_ptr<Graph>(
      exported<Graph*(const std::function<void()>&)>("muonlab_cuda_capture")(work));
}

std::tuple<at::Tensor, at::Tensor> rms_norm(const at::Tensor& x, const Optional& gain, double eps,
                                            at::ScalarType compute) {
  static const auto op = find<decltype(plugin::rms_norm)>("muonlab::rms_norm");
  return op.call(x, gain, eps, compute);
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> add_rms_norm(const at::Tensor& residual,
                                                            const at::Tensor& branch,
                                                            const Optional& gain, double eps,
                                                            at::ScalarType compute) {
  static const auto op = find<decltype(plugin::add_rms_norm)>("muonlab::add_rms_norm");
  return op.call(residual, branch, gain, eps, compute);
}

at::Tensor rms_norm_backward(const at::Tensor& grad_normed, const Optional& grad_residual,
                             const at::Tensor& x, const at::Tensor& inv_rms, const Optional& gain,
                             const Optional& grad_gain, const Optional& rounded) {
  static const auto op = find<decltype(plugin::rms_norm_backward)>("muonlab::rms_norm_backward");
  return op.call(grad_normed, grad_residual, x, inv_rms, gain, grad_gain, rounded);
}

at::Tensor activate(const at::Tensor& x, int64_t kind, bool gated) {
  static const auto op = find<decltype(plugin::activate)>("muonlab::activate");
  return op.call(x, kind, gated);
}

at::Tensor activate_backward(const at::Tensor& grad_out, const at::Tensor& x, int64_t kind,
                             bool gated) {
  static const auto op = find<decltype(plugin::activate_backward)>("muonlab::activate_backward");
  return op.call(grad_out, x, kind, gated);
}

at::Tensor embed(const at::Tensor& tokens, const at::Tensor& weight) {
  static const auto op = find<decltype(plugin::embed)>("muonlab::embed");
  return op.call(tokens, weight);
}

void embed_backward_(const at::Tensor& grad_weight, const at::Tensor& sorted,
                     const at::Tensor& places, const at::Tensor& grad_out) {
  static const auto op = find<decltype(plugin::embed_backward_)>("muonlab::embed_backward_");
  op.call(grad_weight, sorted, places, grad_out);
}

void rotate_(const at::Tensor& in, const at::Tensor& out, const at::Tensor& cosine,
             const at::Tensor& sine, const Optional& query_gain, const Optional& key_gain,
             int64_t positions, int64_t queries, int64_t keys, bool has_norm, double eps) {
  static const auto op = find<decltype(plugin::rotate_)>("muonlab::rotate_");
  op.call(in, out, cosine, sine, query_gain, key_gain, positions, queries, keys, has_norm, eps);
}

void rotate_backward_(const at::Tensor& in, const at::Tensor& grad, const at::Tensor& grad_query,
                      const at::Tensor& grad_key, const at::Tensor& grad_value,
                      const at::Tensor& cosine, const at::Tensor& sine, const Optional& query_gain,
                      const Optional& key_gain, const Optional& grad_query_gain,
                      const Optional& grad_key_gain, int64_t positions, int64_t queries,
                      int64_t keys, bool has_norm, double eps) {
  static const auto op = find<decltype(plugin::rotate_backward_)>("muonlab::rotate_backward_");
  op.call(in, grad, grad_query, grad_key, grad_value, cosine, sine, query_gain, key_gain,
          grad_query_gain, grad_key_gain, positions, queries, keys, has_norm, eps);
}

void cross_entropy_(const at::Tensor& logits, const at::Tensor& targets, const at::Tensor& losses,
                    const Optional& counted, int64_t vocabulary, int64_t ignored) {
  static const auto op = find<decltype(plugin::cross_entropy_)>("muonlab::cross_entropy_");
  op.call(logits, targets, losses, counted, vocabulary, ignored);
}

void close_step_(const at::Tensor& grads, const at::Tensor& status, double clip) {
  static const auto op = find<decltype(plugin::close_step_)>("muonlab::close_step_");
  op.call(grads, status, clip);
}

void adamw_(const at::Tensor& values, const at::Tensor& grads, const at::Tensor& exp_avg,
            const at::Tensor& exp_avg_sq, const Optional& shadow, const at::Tensor& factors,
            const at::Tensor& status) {
  static const auto op = find<decltype(plugin::adamw_)>("muonlab::adamw_");
  op.call(values, grads, exp_avg, exp_avg_sq, shadow, factors, status);
}

void muon_direction_(const at::Tensor& momentum, const at::Tensor& grads, const at::Tensor& x,
                     const at::Tensor& offsets, int64_t stride, at::ArrayRef<double> form,
                     double norm_factor, const at::Tensor& status) {
  static const auto op = find<decltype(plugin::muon_direction_)>("muonlab::muon_direction_");
  op.call(momentum, grads, x, offsets, stride, form, norm_factor, status);
}

void muon_apply_(const at::Tensor& values, const at::Tensor& polar, const at::Tensor& offsets,
                 int64_t stride, const at::Tensor& factors, const at::Tensor& status) {
  static const auto op = find<decltype(plugin::muon_apply_)>("muonlab::muon_apply_");
  op.call(values, polar, offsets, stride, factors, status);
}

}  // namespace muonlab::tensor::plugin
