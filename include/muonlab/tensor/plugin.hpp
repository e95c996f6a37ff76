// The CUDA plugin: a library beside the program that holds the GPU's kernels and brings LibTorch's
// CUDA part with it. It is loaded only where a driver is, so that a program built with it needs no
// CUDA library on other machines.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include <ATen/core/Tensor.h>

namespace muonlab::tensor::plugin {

// Loads it, once a process; the reason when there is no GPU to use, or empty. Must come before
// LibTorch is asked about CUDA and before the first backward: LibTorch remembers then what it has.
std::string load();
// The same for a plugin in a given file. dlopen's own words when it fails.
std::string load_file(const std::string& path);
// Files looked for, best first: beside the executable and in ../lib from there.
std::vector<std::string> candidates();

// Whether the functions below can be used on x: it lies on a GPU and the plugin is loaded.
bool has_kernels(const at::Tensor& x);

// The functions take contiguous tensors on one GPU and record no gradients; they throw c10::Error
// on wrong shapes or dtypes. Each calls the operator muonlab::<its name>, and its declaration here
// is the operator's signature: the plugin registers kernels of these types (cuda/operators.hpp).

// One update of AdamW on flat fp32 arrays [n], in the arithmetic of torch.optim.AdamW; shadow, bf16
// [n], gets the new values. age: updates that the moments have taken, this one included. The
// numbers are the host's: a captured CUDA graph would freeze them.
void adamw_(const at::Tensor& values, const at::Tensor& grads, const at::Tensor& exp_avg,
            const at::Tensor& exp_avg_sq, const std::optional<at::Tensor>& shadow, double lr,
            double beta1, double beta2, double eps, double decay, int64_t age);

// x [n, w], fp32 or bf16; gain [w], fp32, absent for one. (RMSNorm of x in dtype compute, 1 / rms
// [n]).
std::tuple<at::Tensor, at::Tensor> rms_norm(const at::Tensor& x,
                                            const std::optional<at::Tensor>& gain, double eps,
                                            at::ScalarType compute);
// residual fp32, branch fp32 or bf16, both [n, w]. (residual + branch, its RMSNorm in dtype
// compute, 1 / rms [n]).
std::tuple<at::Tensor, at::Tensor, at::Tensor> add_rms_norm(const at::Tensor& residual,
                                                            const at::Tensor& branch,
                                                            const std::optional<at::Tensor>& gain,
                                                            double eps, at::ScalarType compute);
// The gradient at x, in x's dtype, grad_residual (fp32) added when given; the gain's gradient is
// added to grad_gain (fp32). x is what was normed: for add_rms_norm the sum, and the result is the
// gradient of residual and of branch alike.
at::Tensor rms_norm_backward(const at::Tensor& grad_normed,
                             const std::optional<at::Tensor>& grad_residual, const at::Tensor& x,
                             const at::Tensor& inv_rms, const std::optional<at::Tensor>& gain,
                             const std::optional<at::Tensor>& grad_gain);

// x [n, 2 f] = [in | gate], fp32 or bf16 -> silu(in) * gate, [n, f]; computed in fp32.
at::Tensor swiglu(const at::Tensor& x);
at::Tensor swiglu_backward(const at::Tensor& grad_out, const at::Tensor& x);

}  // namespace muonlab::tensor::plugin
