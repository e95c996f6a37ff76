#include "muonlab/ops/linear.hpp"

#include "ops/fused.hpp"
#include "ops/gemm.hpp"

namespace muonlab::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class Linear : public torch::autograd::Function<Linear> {
 public:
  // The weight's first part stands in the graph for all of them, so that the result requires a
  // gradient when they do.
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x_nc,
                            const at::Tensor& /*first_part*/, const StackedWeight* weight) {
    context->save_for_backward({x_nc, weight->shadow()});
    context->saved_data["weight"] = reinterpret_cast<int64_t>(weight);
    context->saved_data["needs_x"] = x_nc.requires_grad();
    const at::Tensor y =
        multiply_transposed(weight->path(), x_nc, weight->shadow().narrow(0, 0, weight->rows()));
    if (weight->has_bias()) y.add_(weight->bias_shadow());
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x_nc = saved[0], &shadow_rc = saved[1];
    const auto* weight =
        reinterpret_cast<const StackedWeight*>(context->saved_data["weight"].toInt());
    const at::Tensor d_y = grads[0].contiguous();
    weight->add_gradient(d_y, x_nc);
    if (weight->has_bias()) weight->add_bias_gradient(d_y);
    if (!context->saved_data["needs_x"].toBool()) return {{}, {}, {}};
    return {multiply_natural(weight->path(), d_y, shadow_rc.narrow(0, 0, weight->rows())), {}, {}};
  }
};

}  // namespace

at::Tensor linear(const at::Tensor& x_nc, const StackedWeight& weight) {
  if (is_fused(weight.path())) {
    return Linear::apply(x_nc.to(weight.compute()).contiguous(), weight.parts()[0].value, &weight);
  }
  return at::linear(x_nc.to(weight.compute()), weight.differentiable(),
                    if_defined(weight.differentiable_bias()));
}

}  // namespace muonlab::ops
