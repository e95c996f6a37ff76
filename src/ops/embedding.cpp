#include "muonlab/ops/embedding.hpp"

#include <cstring>

#include "muonlab/tensor/plugin.hpp"
#include "ops/accumulate_kernel.hpp"
#include "ops/fused.hpp"

namespace muonlab::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

void check_tokens(const at::Tensor& tokens_n, int64_t vocabulary) {
  base::check(tokens_n.scalar_type() == at::kLong && tokens_n.is_contiguous(),
              "token ids are contiguous int64");
  if (!tokens_n.is_cpu()) return;
  const int64_t* tokens = tokens_n.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < tokens_n.numel(); ++i) {
    if (tokens[i] < 0 || tokens[i] >= vocabulary) {
      throw base::Error("token id ", tokens[i], " at position ", i,
                        " of the batch is outside the vocabulary of ", vocabulary,
                        "; the data and the model must use the same tokenizer");
    }
  }
}

class Embedding : public torch::autograd::Function<Embedding> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& tokens_n,
                            const at::Tensor& weight_vw, const at::Tensor& grad_vw,
                            bool on_plugin) {
    context->save_for_backward({tokens_n});
    context->saved_data["grad"] = grad_vw;
    context->saved_data["on_plugin"] = on_plugin;
    if (on_plugin) return tensor::plugin::embed(tokens_n, weight_vw.detach());
    const int64_t n = tokens_n.numel(), w = weight_vw.size(1);
    const at::Tensor out = at::empty({n, w}, weight_vw.options().requires_grad(false));
    const int64_t* tokens = const_data<int64_t>(tokens_n);
    const float* from = const_data<float>(weight_vw);
    float* to = data<float>(out);
    for_rows(n, w, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        std::memcpy(to + i * w, from + tokens[i] * w, static_cast<size_t>(w) * sizeof(float));
      }
    });
    return out;
  }

  // Each part of the vocabulary belongs to one of a fixed number of walks over the tokens: no two
  // threads write the same row, and a row's sum has the tokens' order.
  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const at::Tensor tokens_n = context->get_saved_variables()[0];
    const at::Tensor grad_vw = context->saved_data["grad"].toTensor();
    const at::Tensor d_out = grads[0].contiguous();
    if (context->saved_data["on_plugin"].toBool()) {
      const auto [sorted, places] = at::sort(tokens_n, /*stable=*/true, 0, /*descending=*/false);
      tensor::plugin::embed_backward_(grad_vw, sorted, places, d_out);
      return {{}, {}, {}, {}};
    }
    const int64_t n = tokens_n.numel(), w = d_out.size(1);
    const int64_t* tokens = const_data<int64_t>(tokens_n);
    const float* from = const_data<float>(d_out);
    float* to = data<float>(grad_vw);
    const int64_t num_walks = at::get_num_threads();
    at::parallel_for(0, num_walks, 1, [&](int64_t first, int64_t last) {
      for (int64_t i = 0; i < n; ++i) {
        const int64_t walk = tokens[i] % num_walks;
        if (walk >= first && walk < last) accumulate(to + tokens[i] * w, from + i * w, 1.0f, 0, w);
      }
    });
    return {{}, {}, {}, {}};
  }
};

}  // namespace

at::Tensor embedding(tensor::Path path, const at::Tensor& tokens_n,
                     const tensor::Parameter& weight) {
  check_tokens(tokens_n, weight.value.size(0));
  if (is_fused(path)) return Embedding::apply(tokens_n, weight.value, weight.grad, by_plugin(path));
  return at::embedding(weight.value, tokens_n);
}

}  // namespace muonlab::ops
