// The plugin's door: its kernels as operators of the library "muonlab" for tensors on a GPU.
// include/muonlab/tensor/plugin.hpp says what each computes and calls them.
#include <optional>
#include <tuple>
#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/library.h>

#include "cuda/launch.hpp"
#include "cuda/operators.hpp"

namespace muonlab::cuda {
namespace {

using Optional = std::optional<at::Tensor>;

constexpr int kPack = 4;

template <class Number>
constexpr at::ScalarType kTypeOf = std::is_same_v<Number, Bf16> ? at::kBFloat16 : at::kFloat;

// Calls f with a value of the type that stands for dtype.
template <class F>
void with_number(at::ScalarType dtype, const char* what, F f) {
  if (dtype == at::kFloat) {
    f(float{});
  } else {
    TORCH_CHECK(dtype == at::kBFloat16, what, " is ", dtype,
                "; the kernel takes float and bfloat16");
    f(Bf16{});
  }
}

void check(const at::Tensor& x, const at::Tensor& like, at::IntArrayRef shape, at::ScalarType dtype,
           const char* what) {
  TORCH_CHECK(x.device() == like.device(), what, " is on ", x.device(), ", not on ", like.device());
  TORCH_CHECK(x.sizes() == shape, what, " has shape ", x.sizes(), ", not ", shape);
  TORCH_CHECK(x.scalar_type() == dtype, what, " is ", x.scalar_type(), ", not ", dtype);
  TORCH_CHECK(x.is_contiguous(), what, " is not contiguous");
}

template <class Number>
const Number* read(const at::Tensor& x) {
  return static_cast<const Number*>(x.const_data_ptr());
}
template <class Number>
const Number* read(const Optional& x) {
  return x ? read<Number>(*x) : nullptr;
}
template <class Number>
Number* write(const at::Tensor& x) {
  return static_cast<Number*>(x.mutable_data_ptr());
}

// kPack where rows of `width` elements start on a pack's boundary in all arrays, else 1.
int pack_size(int64_t width, const std::vector<Optional>& arrays) {
  if (width % kPack != 0) return 1;
  for (const Optional& array : arrays) {
    if (!array) continue;
    const auto address = reinterpret_cast<uintptr_t>(array->const_data_ptr());
    if (address % (static_cast<size_t>(kPack) * array->element_size()) != 0) return 1;
  }
  return kPack;
}

template <class Body>
void start(const Body& body, Launch how) {
  how.stream = c10::cuda::getCurrentCUDAStream().stream();
  launch(body, how);
  C10_CUDA_KERNEL_LAUNCH_CHECK();
}

struct Normed {
  at::Tensor sum, normed, inv_rms;
};

// x is residual + branch; one of the two may be absent, and sum is made when both are there.
Normed norm(const Optional& residual, const Optional& branch, const Optional& gain, double eps,
            at::ScalarType compute) {
  const at::Tensor& x = residual ? *residual : *branch;
  TORCH_CHECK(x.dim() == 2, "rms_norm: x must be [rows, width]");
  const int64_t rows = x.size(0), width = x.size(1);
  if (residual) check(*residual, x, x.sizes(), at::kFloat, "rms_norm: residual");
  if (branch) check(*branch, x, x.sizes(), branch->scalar_type(), "rms_norm: branch");
  if (gain) check(*gain, x, {width}, at::kFloat, "rms_norm: gain");
  const c10::cuda::CUDAGuard device(x.device());
  Normed out;
  if (residual && branch) out.sum = at::empty_like(x);
  out.normed = at::empty(x.sizes(), x.options().dtype(compute));
  out.inv_rms = at::empty({rows}, x.options().dtype(at::kFloat));
  if (x.numel() == 0) return out;
  const int size = pack_size(width, {residual, branch, out.normed});
  with_number(branch ? branch->scalar_type() : at::kFloat, "rms_norm: branch",
              [&](auto branch_number) {
                with_number(compute, "rms_norm: the result", [&](auto number) {
                  using Branch = decltype(branch_number);
                  using Out = decltype(number);
                  const RmsNormForward<Branch, Out> body{
                      .residual = read<float>(residual),
                      .branch = read<Branch>(branch),
                      .gain = read<float>(gain),
                      .sum = out.sum.defined() ? write<float>(out.sum) : nullptr,
                      .normed = write<Out>(out.normed),
                      .inv_rms = write<float>(out.inv_rms),
                      .rows = rows,
                      .width = width,
                      .eps = static_cast<float>(eps)};
                  start(body, {.stream = nullptr,
                               .num_blocks = blocks_for(rows, 1),
                               .lanes = lanes_for(width, size),
                               .size = size});
                });
              });
  return out;
}

struct Kernels {
  static void adamw_(const at::Tensor& values, const at::Tensor& grads, const at::Tensor& exp_avg,
                     const at::Tensor& exp_avg_sq, const Optional& shadow, double lr, double beta1,
                     double beta2, double eps, double decay, int64_t age) {
    TORCH_CHECK(values.dim() == 1, "adamw_: values must be flat");
    TORCH_CHECK(age >= 1, "adamw_: the age counts this update");
    check(values, values, values.sizes(), at::kFloat, "adamw_: values");
    check(grads, values, values.sizes(), at::kFloat, "adamw_: grads");
    check(exp_avg, values, values.sizes(), at::kFloat, "adamw_: exp_avg");
    check(exp_avg_sq, values, values.sizes(), at::kFloat, "adamw_: exp_avg_sq");
    if (shadow) check(*shadow, values, values.sizes(), at::kBFloat16, "adamw_: shadow");
    if (values.numel() == 0) return;
    const c10::cuda::CUDAGuard device(values.device());
    // The body finishes an odd end itself, so only the start of the arrays decides.
    const int size = pack_size(kPack, {values, grads, exp_avg, exp_avg_sq, shadow});
    const AdamW body{.values = write<float>(values),
                     .grads = read<float>(grads),
                     .exp_avg = write<float>(exp_avg),
                     .exp_avg_sq = write<float>(exp_avg_sq),
                     .shadow = shadow ? write<Bf16>(*shadow) : nullptr,
                     .count = values.numel(),
                     .factors = adamw_factors(lr, beta1, beta2, eps, decay, age)};
    start(body, {.stream = nullptr,
                 .num_blocks = blocks_for(values.numel(), int64_t{kMaxLanes} * size),
                 .lanes = kMaxLanes,
                 .size = size});
  }

  static std::tuple<at::Tensor, at::Tensor> rms_norm(const at::Tensor& x, const Optional& gain,
                                                     double eps, at::ScalarType compute) {
    const bool wide = x.scalar_type() == at::kFloat;
    const Normed out = wide ? norm(x, std::nullopt, gain, eps, compute)
                            : norm(std::nullopt, x, gain, eps, compute);
    return {out.normed, out.inv_rms};
  }

  static std::tuple<at::Tensor, at::Tensor, at::Tensor> add_rms_norm(const at::Tensor& residual,
                                                                     const at::Tensor& branch,
                                                                     const Optional& gain,
                                                                     double eps,
                                                                     at::ScalarType compute) {
    const Normed out = norm(residual, branch, gain, eps, compute);
    return {out.sum, out.normed, out.inv_rms};
  }

  static at::Tensor rms_norm_backward(const at::Tensor& grad_normed, const Optional& grad_residual,
                                      const at::Tensor& x, const at::Tensor& inv_rms,
                                      const Optional& gain, const Optional& grad_gain) {
    TORCH_CHECK(x.dim() == 2, "rms_norm_backward: x must be [rows, width]");
    TORCH_CHECK(gain.has_value() || !grad_gain.has_value(),
                "rms_norm_backward: grad_gain without a gain");
    const int64_t rows = x.size(0), width = x.size(1);
    check(x, x, x.sizes(), x.scalar_type(), "rms_norm_backward: x");
    check(grad_normed, x, x.sizes(), grad_normed.scalar_type(), "rms_norm_backward: grad_normed");
    if (grad_residual)
      check(*grad_residual, x, x.sizes(), at::kFloat, "rms_norm_backward: grad_residual");
    check(inv_rms, x, {rows}, at::kFloat, "rms_norm_backward: inv_rms");
    if (gain) check(*gain, x, {width}, at::kFloat, "rms_norm_backward: gain");
    if (grad_gain) check(*grad_gain, x, {width}, at::kFloat, "rms_norm_backward: grad_gain");
    const c10::cuda::CUDAGuard device(x.device());
    const at::Tensor grad_x = at::empty_like(x);
    if (x.numel() == 0) return grad_x;
    const int64_t num_blocks = blocks_for(rows, 1, grad_gain ? kGainBlocks : kMaxBlocks);
    const at::Tensor partial =
        grad_gain ? at::empty({num_blocks, width}, x.options().dtype(at::kFloat)) : at::Tensor();
    const bool in_scratch = grad_gain.has_value() && width <= kMaxScratchFloats;
    const int size = pack_size(width, {grad_normed, grad_residual, x, grad_x});
    with_number(x.scalar_type(), "rms_norm_backward: x", [&](auto x_number) {
      with_number(grad_normed.scalar_type(), "rms_norm_backward: grad_normed", [&](auto number) {
        using X = decltype(x_number);
        using Out = decltype(number);
        const RmsNormBackward<X, Out> body{.grad_normed = read<Out>(grad_normed),
                                           .grad_residual = read<float>(grad_residual),
                                           .x = read<X>(x),
                                           .inv_rms = read<float>(inv_rms),
                                           .gain = read<float>(gain),
                                           .grad_x = write<X>(grad_x),
                                           .partial = grad_gain ? write<float>(partial) : nullptr,
                                           .in_scratch = in_scratch,
                                           .rows = rows,
                                           .width = width};
        start(body, {.stream = nullptr,
                     .num_blocks = num_blocks,
                     .lanes = lanes_for(width, size),
                     .scratch_floats = in_scratch ? width : 0,
                     .size = size});
      });
    });
    if (grad_gain) {
      const ColumnSums sums{.partial = read<float>(partial),
                            .total = write<float>(*grad_gain),
                            .num_partials = num_blocks,
                            .width = width};
      start(sums,
            {.stream = nullptr, .num_blocks = blocks_for(width, kWarp), .lanes = kWarp, .size = 1});
    }
    return grad_x;
  }

  static at::Tensor swiglu(const at::Tensor& x) {
    TORCH_CHECK(x.dim() == 2 && x.size(1) % 2 == 0, "swiglu: x must be [rows, 2 width]");
    const int64_t rows = x.size(0), width = x.size(1) / 2;
    check(x, x, x.sizes(), x.scalar_type(), "swiglu: x");
    const c10::cuda::CUDAGuard device(x.device());
    const at::Tensor out = at::empty({rows, width}, x.options());
    if (out.numel() == 0) return out;
    const int size = pack_size(width, {x, out});
    with_number(x.scalar_type(), "swiglu: x", [&](auto number) {
      using Number = decltype(number);
      const SwiGluForward<Number> body{
          .x = read<Number>(x), .out = write<Number>(out), .rows = rows, .width = width};
      start(body, {.stream = nullptr,
                   .num_blocks = blocks_for(rows, 1),
                   .lanes = lanes_for(width, size),
                   .size = size});
    });
    return out;
  }

  static at::Tensor swiglu_backward(const at::Tensor& grad_out, const at::Tensor& x) {
    TORCH_CHECK(x.dim() == 2 && x.size(1) % 2 == 0, "swiglu_backward: x must be [rows, 2 width]");
    const int64_t rows = x.size(0), width = x.size(1) / 2;
    check(x, x, x.sizes(), x.scalar_type(), "swiglu_backward: x");
    check(grad_out, x, {rows, width}, x.scalar_type(), "swiglu_backward: grad_out");
    const c10::cuda::CUDAGuard device(x.device());
    const at::Tensor grad_x = at::empty_like(x);
    if (x.numel() == 0) return grad_x;
    const int size = pack_size(width, {grad_out, x, grad_x});
    with_number(x.scalar_type(), "swiglu_backward: x", [&](auto number) {
      using Number = decltype(number);
      const SwiGluBackward<Number> body{.grad_out = read<Number>(grad_out),
                                        .x = read<Number>(x),
                                        .grad_x = write<Number>(grad_x),
                                        .rows = rows,
                                        .width = width};
      start(body, {.stream = nullptr,
                   .num_blocks = blocks_for(rows, 1),
                   .lanes = lanes_for(width, size),
                   .size = size});
    });
    return grad_x;
  }
};

}  // namespace

TORCH_LIBRARY(muonlab, library) { define_operators<Kernels>(library, c10::DispatchKey::CUDA); }

}  // namespace muonlab::cuda

// Asked for by name once the plugin is loaded: why no GPU can be used, or null.
extern "C" __attribute__((visibility("default"))) const char* muonlab_cuda_problem() {
  int num_devices = 0;
  const cudaError_t status = cudaGetDeviceCount(&num_devices);
  if (status != cudaSuccess) return cudaGetErrorString(status);
  if (num_devices == 0) return "no GPU";
  int major = 0;
  const cudaError_t asked = cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0);
  if (asked != cudaSuccess) return cudaGetErrorString(asked);
  return major >= 8 ? nullptr : "the GPU is older than compute capability 8.0, and bf16 needs that";
}
