#include "muonlab/ops/activation.hpp"

#include "muonlab/tensor/plugin.hpp"
#include "ops/activation_kernel.hpp"
#include "ops/fused.hpp"

namespace muonlab::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class Activate : public torch::autograd::Function<Activate> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, int64_t activation,
                            bool gated, bool on_plugin) {
    context->save_for_backward({x});
    context->saved_data["activation"] = activation;
    context->saved_data["gated"] = gated;
    context->saved_data["on_plugin"] = on_plugin;
    if (on_plugin) return tensor::plugin::activate(x, activation, gated);
    const int64_t n = x.size(0), f = gated ? x.size(1) / 2 : x.size(1);
    const at::Tensor y = at::empty({n, f}, x.options());
    dispatch(x.scalar_type(), [&]<class T>(T*) {
      const T* in = const_data<T>(x);
      T* out = data<T>(y);
      for_rows(n, f, [&](int64_t begin, int64_t end) {
        activation_forward(static_cast<config::Activation>(activation), gated, in, out, f, begin,
                           end);
      });
    });
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const at::Tensor x = context->get_saved_variables()[0];
    const auto activation =
        static_cast<config::Activation>(context->saved_data["activation"].toInt());
    const bool gated = context->saved_data["gated"].toBool();
    const at::Tensor d_y = grads[0].contiguous();
    if (context->saved_data["on_plugin"].toBool()) {
      const auto kind = static_cast<int64_t>(activation);
      return {tensor::plugin::activate_backward(d_y, x, kind, gated), {}, {}, {}};
    }
    const at::Tensor d_x = at::empty_like(x);
    const int64_t n = x.size(0), f = d_y.size(1);
    dispatch(x.scalar_type(), [&]<class T>(T*) {
      const T* in = const_data<T>(x);
      const T* upstream = const_data<T>(d_y);
      T* out = data<T>(d_x);
      for_rows(n, f, [&](int64_t begin, int64_t end) {
        activation_backward(activation, gated, in, upstream, out, f, begin, end);
      });
    });
    return {d_x, {}, {}, {}};
  }
};

}  // namespace

at::Tensor activation_reference(const at::Tensor& x, config::Activation activation) {
  switch (activation) {
    case config::Activation::silu: return at::silu(x);
    case config::Activation::gelu: return at::gelu(x);
    case config::Activation::gelu_tanh: return at::gelu(x, "tanh");
    case config::Activation::relu2: {
      const at::Tensor positive = at::relu(x);
      return positive * positive;
    }
  }
  throw base::Bug("unknown activation");
}

at::Tensor activate(tensor::Path path, const at::Tensor& x, config::Activation activation,
                    bool gated) {
  if (is_fused(path)) {
    return Activate::apply(x.contiguous(), static_cast<int64_t>(activation), gated,
                           by_plugin(path));
  }
  const at::Tensor wide = x.scalar_type() == at::kBFloat16 ? x.to(at::kFloat) : x;
  if (!gated) return activation_reference(wide, activation).to(x.scalar_type());
  const int64_t width = x.size(1) / 2;
  const at::Tensor active = activation_reference(wide.narrow(1, 0, width), activation);
  return (active * wide.narrow(1, width, width)).to(x.scalar_type());
}

}  // namespace muonlab::ops
