// AdamW with decoupled decay (arXiv 1711.05101), in the arithmetic of torch.optim.AdamW, in one
// pass over the range.
#include <cmath>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "muonlab/optim/rule.hpp"
#include "optim/adamw_kernel.hpp"

namespace muonlab::optim {
namespace {

class AdamW final : public Rule {
 public:
  AdamW(const config::AdamWConfig& config, Range range)
      : config_(config),
        range_(std::move(range)),
        first_(at::zeros_like(range_.values)),
        second_(at::zeros_like(range_.values)) {}

  void update(double lr, int64_t step) override {
    const auto [beta1, beta2] = config_.betas;
    const double t = static_cast<double>(step);
    const AdamWFactors f{
        .keep = static_cast<float>(1.0 - lr * config_.decay),
        .step_size = static_cast<float>(lr / (1.0 - std::pow(beta1, t))),
        .mix1 = static_cast<float>(1.0 - beta1),
        .beta2 = static_cast<float>(beta2),
        .mix2 = static_cast<float>(1.0 - beta2),
        .root_correction = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(beta2, t))),
        .eps = static_cast<float>(config_.eps)};
    if (range_.composed) return update_composed(f);
    update_here(f);
  }

  std::vector<tensor::NamedTensor> state() override {
    auto result = named_state(range_, first_, "exp_avg");
    for (auto& second : named_state(range_, second_, "exp_avg_sq"))
      result.push_back(std::move(second));
    return result;
  }

 private:
  void update_here(const AdamWFactors& f) {
    const float* g = range_.grads.const_data_ptr<float>();
    float* w = range_.values.mutable_data_ptr<float>();
    float* m = first_.mutable_data_ptr<float>();
    float* v = second_.mutable_data_ptr<float>();
    at::parallel_for(0, range_.values.numel(), 1 << 14, [&](int64_t begin, int64_t end) {
      adamw_range(f, end - begin, g + begin, w + begin, m + begin, v + begin);
    });
  }

  void update_composed(const AdamWFactors& f) {
    const at::Tensor& g = range_.grads;
    first_.lerp_(g, f.mix1);
    second_.mul_(f.beta2).addcmul_(g, g, f.mix2);
    const at::Tensor root = second_.sqrt().mul_(f.root_correction).add_(f.eps);
    const at::Tensor direction = at::where(root > 0, first_ / root, at::zeros({}, root.options()));
    range_.values.mul_(f.keep).sub_(direction, f.step_size);
  }

  config::AdamWConfig config_;
  Range range_;
  at::Tensor first_, second_;  // moments, of the range's layout
};

}  // namespace

std::unique_ptr<Rule> make_adamw(const config::AdamWConfig& config, Range range) {
  return std::make_unique<AdamW>(config, std::move(range));
}

}  // namespace muonlab::optim
