// Lion (arXiv 2302.06675): the sign of a mixture of average and gradient, in one pass over the
// range.
#include <ATen/ATen.h>

#include "muonlab/optim/rule.hpp"
#include "optim/elementwise_kernels.hpp"

namespace muonlab::optim {
namespace {

class Lion final : public Rule {
 public:
  Lion(const config::LionConfig& config, Range range)
      : config_(config), range_(std::move(range)), average_(at::zeros_like(range_.values)) {}

  void update(const UpdateStep& now) override {
    if (range_.composed) return update_composed(now.lr);
    const auto [beta1, beta2] = config_.betas;
    const LionFactors factors{.keep = static_cast<float>(1.0 - now.lr * config_.decay),
                              .lr = static_cast<float>(now.lr),
                              .beta1 = static_cast<float>(beta1),
                              .mix1 = static_cast<float>(1.0 - beta1),
                              .beta2 = static_cast<float>(beta2),
                              .mix2 = static_cast<float>(1.0 - beta2)};
    const float* g = range_.grads.const_data_ptr<float>();
    float* w = range_.values.mutable_data_ptr<float>();
    float* m = average_.mutable_data_ptr<float>();
    in_parts(range_.values.numel(), [&](int64_t first, int64_t count) {
      lion_range(factors, count, g + first, w + first, m + first);
    });
  }

  Division division() const override { return Division::elements; }

  std::vector<tensor::NamedTensor> state() override {
    return named_state(range_, average_, config_.moments().first);
  }

 private:
  void update_composed(double lr) {
    const auto [beta1, beta2] = config_.betas;
    const at::Tensor direction = at::mul(average_, beta1).add_(range_.grads, 1.0 - beta1).sign_();
    average_.mul_(beta2).add_(range_.grads, 1.0 - beta2);
    if (config_.decay > 0) range_.values.mul_(1.0 - lr * config_.decay);
    range_.values.sub_(direction, lr);
  }

  config::LionConfig config_;
  Range range_;
  at::Tensor average_;  // of the range's layout
};

}  // namespace

MakeRule::Made MakeRule::operator()(const config::LionConfig& config) {
  return std::make_unique<Lion>(config, std::move(range));
}

}  // namespace muonlab::optim
