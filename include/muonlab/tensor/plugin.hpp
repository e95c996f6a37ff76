// The CUDA plugin: a library beside the program that holds the GPU's kernels and brings LibTorch's
// CUDA part with it. It is loaded only where a driver is, so that a program built with it needs no
// CUDA library on other machines.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
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

struct Gpu {
  std::string name;
  int capability = 0;  // 90 for 9.0
  int driver = 0;      // newest CUDA version that the driver knows: 13000 for 13.0
  int64_t total_bytes = 0, free_bytes = 0;
};
// The GPU in use. REQUIRES: load() found one.
Gpu gpu();
// gpu().capability, without asking the driver again; 0 where no GPU is in use.
int compute_capability();

// Operations on a GPU that were recorded once and run again by one call.
class Graph {
 public:
  virtual ~Graph() = default;
  virtual void replay() = 0;
};
// Records what `work` enqueues, without running it. `work` must have run before, so that nothing in
// it is done for the first time; it may not wait for the GPU. What it allocates belongs to the
// graph.
std::unique_ptr<Graph> capture(const std::function<void()>& work);

// The functions take contiguous tensors on one device and record no gradients; they throw
// c10::Error on wrong shapes or dtypes. Each calls the operator muonlab::<its name>, and its
// declaration here is the operator's signature: the plugin registers kernels of these types for a
// GPU, and tests the same kernels, run by a loop over their lanes, for the CPU
// (cuda/operators.hpp). None waits for the device. Numbers that change from step to step are in
// tensors, because a captured CUDA graph freezes arguments. status is tensor::StepStatus; an update
// does nothing where its flag is down.

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
// gradient of residual and of branch alike. rounded, bf16 [n, w], gets a copy of it.
at::Tensor rms_norm_backward(const at::Tensor& grad_normed,
                             const std::optional<at::Tensor>& grad_residual, const at::Tensor& x,
                             const at::Tensor& inv_rms, const std::optional<at::Tensor>& gain,
                             const std::optional<at::Tensor>& grad_gain,
                             const std::optional<at::Tensor>& rounded);

// kind: a config::Activation. Gated: x [n, 2 f] = [in | gate] -> act(in) * gate; plain: x [n, f] ->
// act(x). fp32 or bf16, computed in fp32.
at::Tensor activate(const at::Tensor& x, int64_t kind, bool gated);
at::Tensor activate_backward(const at::Tensor& grad_out, const at::Tensor& x, int64_t kind,
                             bool gated);

// tokens int64 [n], weight fp32 [v, w] -> [n, w]; NaN for a token outside the vocabulary, which the
// host does not see in time, so that its step is not finite.
at::Tensor embed(const at::Tensor& tokens, const at::Tensor& weight);
// grad_weight[token] += its rows of grad_out [n, w]. sorted: the tokens in order; places: the row
// of each. Every row's sum has one order.
void embed_backward_(const at::Tensor& grad_weight, const at::Tensor& sorted,
                     const at::Tensor& places, const at::Tensor& grad_out);

// QK-norm (when has_norm) and rotation of packed rows [n, (queries + 2 keys) head_dim], fp32 or
// bf16, into out, which may be in itself; values are copied. Row r has position r mod positions;
// cosine, sine fp32 [at least positions, head_dim / 2]; gains fp32 [head_dim], absent for one.
void rotate_(const at::Tensor& in, const at::Tensor& out, const at::Tensor& cosine,
             const at::Tensor& sine, const std::optional<at::Tensor>& query_gain,
             const std::optional<at::Tensor>& key_gain, int64_t positions, int64_t queries,
             int64_t keys, bool has_norm, double eps);
// grad becomes the gradient of in from those of out's queries [n, queries head_dim], keys and
// values [n, keys head_dim]; the gains' gradients are added to.
void rotate_backward_(const at::Tensor& in, const at::Tensor& grad, const at::Tensor& grad_query,
                      const at::Tensor& grad_key, const at::Tensor& grad_value,
                      const at::Tensor& cosine, const at::Tensor& sine,
                      const std::optional<at::Tensor>& query_gain,
                      const std::optional<at::Tensor>& key_gain,
                      const std::optional<at::Tensor>& grad_query_gain,
                      const std::optional<at::Tensor>& grad_key_gain, int64_t positions,
                      int64_t queries, int64_t keys, bool has_norm, double eps);

// logits [n, stride], fp32 or bf16, of which the first `vocabulary` columns count; targets int64
// [n], with `ignored` for one that does not. losses fp32 [n]. With counted, int64 [1], the logits
// become the gradient of the mean over that many targets, 0 in the columns that do not count.
void cross_entropy_(const at::Tensor& logits, const at::Tensor& targets, const at::Tensor& losses,
                    const std::optional<at::Tensor>& counted, int64_t vocabulary, int64_t ignored);

// Completes status, whose loss is there, from the flat fp32 gradients: norm, summed in double in a
// fixed order, flag, and the factor that clips to `clip` (0: none); then clips the gradients.
void close_step_(const at::Tensor& grads, const at::Tensor& status, double clip);

// One update of AdamW on flat fp32 arrays [n], in the arithmetic of torch.optim.AdamW; shadow, bf16
// [n], gets the new values. factors: fp32 [7], what adamw_factors() gives.
void adamw_(const at::Tensor& values, const at::Tensor& grads, const at::Tensor& exp_avg,
            const at::Tensor& exp_avg_sq, const std::optional<at::Tensor>& shadow,
            const at::Tensor& factors, const at::Tensor& status);

// Matrices of one shape inside flat fp32 arrays: offsets int64 [count], entry (i, j) of one at
// offset + i * stride + j. form is {keep, mix, ahead_g, ahead_m}: M <- keep M + mix G, and the
// direction U = ahead_g G + ahead_m M. Writes M, and U / (norm_factor |U|) into x [count, rows,
// cols], fp32 or bf16: zeros for a matrix that counts as zero.
void muon_direction_(const at::Tensor& momentum, const at::Tensor& grads, const at::Tensor& x,
                     const at::Tensor& offsets, int64_t stride, at::ArrayRef<double> form,
                     double norm_factor, const at::Tensor& status);
// W <- factors[0] W - factors[1] O, with O [count, rows, cols], fp32 or bf16; factors fp32 [2].
void muon_apply_(const at::Tensor& values, const at::Tensor& polar, const at::Tensor& offsets,
                 int64_t stride, const at::Tensor& factors, const at::Tensor& status);

}  // namespace muonlab::tensor::plugin
