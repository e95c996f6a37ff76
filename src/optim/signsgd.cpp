// The sign of the gradient, or of its running average, B <- mu B + (1 - mu) G (arXiv 1802.04434,
// Signum), in one pass over the range.
#include <ATen/ATen.h>

#include "muonlab/optim/rule.hpp"
#include "optim/elementwise_kernels.hpp"

namespace muonlab::optim {
namespace {

class SignSgd final : public Rule {
 public:
  SignSgd(const config::SignSgdConfig& config, Range range)
      : config_(config), range_(std::move(range)) {
    if (config_.momentum > 0) average_ = at::zeros_like(range_.values);
  }

  void update(const UpdateStep& now) override {
    if (range_.composed) return update_composed(now.lr);
    const float* g = range_.grads.const_data_ptr<float>();
    float* w = range_.values.mutable_data_ptr<float>();
    const SignSgdFactors factors{.keep = static_cast<float>(1.0 - now.lr * config_.decay),
                                 .lr = static_cast<float>(now.lr),
                                 .momentum = static_cast<float>(config_.momentum),
                                 .mix = static_cast<float>(1.0 - config_.momentum)};
    float* m = average_.defined() ? average_.mutable_data_ptr<float>() : nullptr;
    in_parts(range_.values.numel(), [&](int64_t first, int64_t count) {
      if (m != nullptr) return signsgd_range(factors, count, g + first, w + first, m + first);
      signsgd_range(factors, count, g + first, w + first);
    });
  }

  Division division() const override { return Division::elements; }

  std::vector<tensor::NamedTensor> state() override {
    if (!average_.defined()) return {};
    return named_state(range_, average_, config_.moments().first);
  }

 private:
  void update_composed(double lr) {
    at::Tensor direction = range_.grads;
    if (average_.defined()) {
      average_.mul_(config_.momentum).add_(range_.grads, 1.0 - config_.momentum);
      direction = average_;
    }
    if (config_.decay > 0) range_.values.mul_(1.0 - lr * config_.decay);
    range_.values.sub_(direction.sign(), lr);
  }

  config::SignSgdConfig config_;
  Range range_;
  at::Tensor average_;  // of the range's layout; undefined without momentum
};

}  // namespace

MakeRule::Made MakeRule::operator()(const config::SignSgdConfig& config) {
  return std::make_unique<SignSgd>(config, std::move(range));
}

}  // namespace muonlab::optim
