// Lion (arXiv 2302.06675): the sign of a mixture of average and gradient.
#include <ATen/ATen.h>

#include "muonlab/optim/rule.hpp"

namespace muonlab::optim {
namespace {

class Lion final : public Rule {
 public:
  Lion(const config::LionConfig& config, Range range)
      : config_(config), range_(std::move(range)), average_(at::zeros_like(range_.values)) {}

  void update(const UpdateStep& now) override {
    const auto [beta1, beta2] = config_.betas;
    const at::Tensor direction = at::mul(average_, beta1).add_(range_.grads, 1.0 - beta1).sign_();
    average_.mul_(beta2).add_(range_.grads, 1.0 - beta2);
    if (config_.decay > 0) range_.values.mul_(1.0 - now.lr * config_.decay);
    range_.values.sub_(direction, now.lr);
  }

  Division division() const override { return Division::elements; }

  std::vector<tensor::NamedTensor> state() override {
    return named_state(range_, average_, config_.moments().first);
  }

 private:
  config::LionConfig config_;
  Range range_;
  at::Tensor average_;  // of the range's layout
};

}  // namespace

MakeRule::Made MakeRule::operator()(const config::LionConfig& config) {
  return std::make_unique<Lion>(config, std::move(range));
}

}  // namespace muonlab::optim
