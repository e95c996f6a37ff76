// Stochastic gradient descent with momentum as torch.optim.SGD has it: B <- mu B + G, no dampening;
// in one pass over the range.
#include <ATen/ATen.h>

#include "muonlab/optim/rule.hpp"
#include "optim/elementwise_kernels.hpp"

namespace muonlab::optim {
namespace {

class Sgd final : public Rule {
 public:
  Sgd(const config::SgdConfig& config, Range range) : config_(config), range_(std::move(range)) {
    if (config_.momentum > 0) momentum_ = at::zeros_like(range_.values);
  }

  void update(const UpdateStep& now) override {
    if (range_.composed) return update_composed(now.lr);
    const float* g = range_.grads.const_data_ptr<float>();
    float* w = range_.values.mutable_data_ptr<float>();
    const auto mu = static_cast<float>(config_.momentum);
    const SgdFactors factors{.keep = static_cast<float>(1.0 - now.lr * config_.decay),
                             .lr = static_cast<float>(now.lr),
                             .momentum = mu,
                             .direct = config_.nesterov ? 1.0f : 0.0f,
                             .averaged = config_.nesterov ? mu : 1.0f};
    float* m = momentum_.defined() ? momentum_.mutable_data_ptr<float>() : nullptr;
    in_parts(range_.values.numel(), [&](int64_t first, int64_t count) {
      if (m != nullptr) return sgd_range(factors, count, g + first, w + first, m + first);
      sgd_range(factors, count, g + first, w + first);
    });
  }

  Division division() const override { return Division::elements; }

  std::vector<tensor::NamedTensor> state() override {
    if (!momentum_.defined()) return {};
    return named_state(range_, momentum_, config_.moments().first);
  }

 private:
  void update_composed(double lr) {
    at::Tensor direction = range_.grads;
    if (momentum_.defined()) {
      momentum_.mul_(config_.momentum).add_(range_.grads);
      direction = config_.nesterov ? at::add(range_.grads, momentum_, config_.momentum) : momentum_;
    }
    if (config_.decay > 0) range_.values.mul_(1.0 - lr * config_.decay);
    range_.values.sub_(direction, lr);
  }

  config::SgdConfig config_;
  Range range_;
  at::Tensor momentum_;  // of the range's layout; undefined without momentum
};

}  // namespace

MakeRule::Made MakeRule::operator()(const config::SgdConfig& config) {
  return std::make_unique<Sgd>(config, std::move(range));
}

}  // namespace muonlab::optim
