#include "muonlab/ops/rms_norm.hpp"

#include "muonlab/tensor/plugin.hpp"
#include "ops/fused.hpp"
#include "ops/norm_kernel.hpp"

namespace muonlab::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class AddNorm : public torch::autograd::Function<AddNorm> {
 public:
  // Outputs: {sum, normed}, or {normed} without a branch.
  static variable_list forward(AutogradContext* context, const at::Tensor& residual_nw,
                               const std::optional<at::Tensor>& branch, const at::Tensor& gain_w,
                               const at::Tensor& gain_grad_w, double eps, at::ScalarType compute,
                               bool on_plugin) {
    const int64_t n = residual_nw.size(0), w = residual_nw.size(1);
    const bool has_branch = branch.has_value();
    context->set_materialize_grads(false);
    context->saved_data["gain_grad"] = gain_grad_w;
    context->saved_data["has_branch"] = has_branch;
    context->saved_data["on_plugin"] = on_plugin;
    if (on_plugin) {
      at::Tensor sum = residual_nw, normed, rstd;
      if (has_branch) {
        std::tie(sum, normed, rstd) =
            tensor::plugin::add_rms_norm(residual_nw, *branch, gain_w, eps, compute);
      } else {
        std::tie(normed, rstd) = tensor::plugin::rms_norm(residual_nw, gain_w, eps, compute);
      }
      context->save_for_backward({sum, rstd, gain_w});
      if (has_branch) return {sum, normed};
      return {normed};
    }
    const at::Tensor sum = has_branch ? at::empty_like(residual_nw) : residual_nw;
    const at::Tensor normed = at::empty({n, w}, residual_nw.options().dtype(compute));
    const at::Tensor rstd = at::empty({n}, residual_nw.options());
    dispatch(compute, [&]<class T>(T*) {
      const float* x = const_data<float>(residual_nw);
      const T* y = has_branch ? const_data<T>(*branch) : nullptr;
      const float* gain = const_data<float>(gain_w);
      float* total = has_branch ? data<float>(sum) : nullptr;
      T* out = data<T>(normed);
      float* scales = data<float>(rstd);
      for_rows(n, w, [&](int64_t begin, int64_t end) {
        add_norm_forward(x, y, gain, total, out, scales, w, static_cast<float>(eps), begin, end);
      });
    });
    context->save_for_backward({sum, rstd, gain_w});
    if (has_branch) return {sum, normed};
    return {normed};
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &sum = saved[0], &rstd = saved[1], &gain_w = saved[2];
    const bool has_branch = context->saved_data["has_branch"].toBool();
    const at::Tensor gain_grad_w = context->saved_data["gain_grad"].toTensor();
    at::Tensor d_later = has_branch ? grads[0] : at::Tensor();
    if (d_later.defined()) d_later = d_later.contiguous();
    if (!grads.back().defined()) return {d_later, d_later, {}, {}, {}, {}, {}};
    const at::Tensor d_normed = grads.back().contiguous();
    const int64_t n = sum.size(0), w = sum.size(1);
    // In fp32 the branch's gradient is the residual's; in bf16 it is its rounded copy.
    const bool is_bf16 = d_normed.scalar_type() == at::kBFloat16;
    const at::Tensor d_branch = has_branch && is_bf16 ? at::empty_like(d_normed) : at::Tensor();
    const auto gradients = [&](const at::Tensor& d_sum) {
      const at::Tensor of_branch = is_bf16 ? d_branch : d_sum;
      return variable_list{d_sum, has_branch ? of_branch : at::Tensor(), {}, {}, {}, {}, {}};
    };
    if (context->saved_data["on_plugin"].toBool()) {
      return gradients(tensor::plugin::rms_norm_backward(
          d_normed, if_defined(d_later), sum, rstd, gain_w, gain_grad_w, if_defined(d_branch)));
    }
    const at::Tensor d_sum = at::empty_like(sum);
    dispatch(d_normed.scalar_type(), [&]<class T>(T*) {
      const float* x = const_data<float>(sum);
      const float* scales = const_data<float>(rstd);
      const float* gain = const_data<float>(gain_w);
      const T* dy = const_data<T>(d_normed);
      const float* later = const_data<float>(d_later);
      float* dx = data<float>(d_sum);
      T* copy = data<T>(d_branch);
      const auto block = [&](int64_t begin, int64_t end, float* d_gain) {
        add_norm_backward(x, scales, gain, dy, later, dx, copy, d_gain, w, begin, end);
      };
      sum_over_rows(n, w, block, data<float>(gain_grad_w));
    });
    return gradients(d_sum);
  }
};

}  // namespace

at::Tensor rms_norm_reference(const at::Tensor& x, const at::Tensor& gain, double eps) {
  const at::Tensor normed = x * at::rsqrt(at::mean(x * x, -1, /*keepdim=*/true) + eps);
  return gain.defined() ? normed * gain : normed;
}

Normed add_norm(tensor::Path path, const at::Tensor& residual_nw, const at::Tensor& branch_nw,
                const tensor::Parameter& gain, double eps, at::ScalarType compute) {
  Normed out;
  if (is_fused(path)) {
    std::optional<at::Tensor> branch;
    if (branch_nw.defined()) branch = branch_nw.to(compute);
    const variable_list made =
        AddNorm::apply(residual_nw, branch, gain.value, gain.grad, eps, compute, by_plugin(path));
    out.residual_nw = branch ? made[0] : residual_nw;
    out.normed_nw = made.back();
    return out;
  }
  out.residual_nw =
      branch_nw.defined() ? residual_nw + branch_nw.to(residual_nw.scalar_type()) : residual_nw;
  out.normed_nw = rms_norm_reference(out.residual_nw, gain.value, eps).to(compute);
  return out;
}

}  // namespace muonlab::ops
