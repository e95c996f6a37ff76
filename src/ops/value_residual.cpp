#include "muonlab/ops/value_residual.hpp"

#include "ops/fused.hpp"

namespace muonlab::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class MixValues : public torch::autograd::Function<MixValues> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& qkv,
                            const at::Tensor& first_nk, const at::Tensor& share,
                            const std::optional<at::Tensor>& share_grad, int64_t first_column) {
    const bool is_learned = share_grad.has_value();
    context->mark_dirty({qkv});
    context->saved_data["first_column"] = first_column;
    context->saved_data["share"] = share;
    if (is_learned) context->saved_data["share_grad"] = *share_grad;
    const at::Tensor own_nk = qkv.narrow(1, first_column, first_nk.size(1));
    const at::Tensor wide_nk = own_nk.to(share.scalar_type());
    const at::Tensor gap_nk = first_nk.to(share.scalar_type()) - wide_nk;
    own_nk.copy_(wide_nk + gap_nk * share);
    if (is_learned) context->save_for_backward({gap_nk});
    return qkv;
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const at::Tensor share = context->saved_data["share"].toTensor();
    const int64_t first_column = context->saved_data["first_column"].toInt();
    const at::Tensor d_qkv = grads[0].clone();
    at::Tensor d_own_nk = d_qkv.narrow(1, first_column, d_qkv.size(1) - first_column);
    const at::Tensor wide_nk = d_own_nk.to(share.scalar_type());
    const variable_list saved = context->get_saved_variables();
    if (!saved.empty()) {
      at::Tensor share_grad = context->saved_data["share_grad"].toTensor();
      share_grad.add_((wide_nk * saved[0]).sum());
    }
    const at::Tensor d_first_nk = wide_nk * share;
    d_own_nk.copy_(wide_nk - d_first_nk);
    return {d_qkv, d_first_nk.to(d_qkv.scalar_type()), {}, {}, {}};
  }
};

int64_t first_value_column(const Heads& heads) { return heads.query_width() + heads.key_width(); }

}  // namespace

at::Tensor values_of(const at::Tensor& qkv, const Heads& heads) {
  return qkv.narrow(1, first_value_column(heads), heads.key_width()).clone();
}

at::Tensor mix_values(tensor::Path path, const at::Tensor& qkv, const at::Tensor& first_nk,
                      const tensor::Parameter& share, const Heads& heads) {
  const int64_t first_column = first_value_column(heads);
  if (is_fused(path)) {
    // Autograd takes no undefined tensor as an input.
    const auto grad = share.grad.defined() ? std::optional(share.grad) : std::nullopt;
    return MixValues::apply(qkv, first_nk, share.value.detach(), grad, first_column);
  }
  const at::Tensor own_nk = qkv.narrow(1, first_column, heads.key_width());
  const at::ScalarType dtype = share.value.scalar_type();
  const at::Tensor wide_nk = own_nk.to(dtype);
  const at::Tensor mixed_nk = wide_nk + (first_nk.to(dtype) - wide_nk) * share.value;
  return at::cat({qkv.narrow(1, 0, first_column), mixed_nk.to(qkv.scalar_type())}, 1);
}

}  // namespace muonlab::ops
