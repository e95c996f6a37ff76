// Stochastic gradient descent with momentum as torch.optim.SGD has it: B <- mu B + G, no dampening.
#include <ATen/ATen.h>

#include "muonlab/optim/rule.hpp"

namespace muonlab::optim {
namespace {

class Sgd final : public Rule {
 public:
  Sgd(const config::SgdConfig& config, Range range) : config_(config), range_(std::move(range)) {
    if (config_.momentum > 0) momentum_ = at::zeros_like(range_.values);
  }

  void update(const UpdateStep& now) override {
    const double lr = now.lr;
    at::Tensor direction = range_.grads;
    if (momentum_.defined()) {
      momentum_.mul_(config_.momentum).add_(range_.grads);
      direction = config_.nesterov ? at::add(range_.grads, momentum_, config_.momentum) : momentum_;
    }
    if (config_.decay > 0) range_.values.mul_(1.0 - lr * config_.decay);
    range_.values.sub_(direction, lr);
  }

  Division division() const override { return Division::elements; }

  std::vector<tensor::NamedTensor> state() override {
    if (!momentum_.defined()) return {};
    return named_state(range_, momentum_, config_.moments().first);
  }

 private:
  config::SgdConfig config_;
  Range range_;
  at::Tensor momentum_;  // of the range's layout; undefined without momentum
};

}  // namespace

MakeRule::Made MakeRule::operator()(const config::SgdConfig& config) {
  return std::make_unique<Sgd>(config, std::move(range));
}

}  // namespace muonlab::optim
