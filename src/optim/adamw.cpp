// AdamW with decoupled decay (arXiv 1711.05101), in the arithmetic of torch.optim.AdamW, in one
// pass over the range. The moments are corrected by their own age.
#include <cmath>

#include <ATen/ATen.h>

#include "muonlab/optim/rule.hpp"
#include "muonlab/tensor/plugin.hpp"
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

  void update(const UpdateStep& now) override {
    for (const Segment& segment : range_.segments()) {
      if (range_.composed) {
        update_composed(factors(now.lr, segment.age), segment);
      } else {
        update_here(factors(now.lr, segment.age), segment);
      }
    }
  }

  // Room for a set of factors a member; segments are at most as many.
  int64_t num_step_numbers() const override {
    return kNumFactors * static_cast<int64_t>(range_.members.size());
  }

  void write_step_numbers(double lr, float* numbers) override {
    for (const Segment& segment : range_.segments()) {
      const AdamWFactors f = factors(lr, segment.age);
      for (const float number :
           {f.keep, f.step_size, f.mix1, f.beta2, f.mix2, f.root_correction, f.eps})
        *numbers++ = number;
    }
  }

  void enqueue_update(const at::Tensor& numbers, const at::Tensor& status) override {
    int64_t first = 0;
    for (const Segment& segment : range_.segments()) {
      const auto part = [&](const at::Tensor& flat) {
        return flat.narrow(0, segment.begin, segment.end - segment.begin);
      };
      tensor::plugin::adamw_(part(range_.values), part(range_.grads), part(first_), part(second_),
                             std::nullopt, numbers.narrow(0, first, kNumFactors), status);
      first += kNumFactors;
    }
  }

  Division division() const override { return Division::elements; }

  std::vector<tensor::NamedTensor> state() override {
    const config::MomentNames names = config_.moments();
    auto result = named_state(range_, first_, names.first);
    for (auto& second : named_state(range_, second_, names.second))
      result.push_back(std::move(second));
    return result;
  }

 private:
  static constexpr int64_t kNumFactors = 7;

  AdamWFactors factors(double lr, int64_t age) const {
    const auto [beta1, beta2] = config_.betas;
    const double t = static_cast<double>(age);
    return {.keep = static_cast<float>(1.0 - lr * config_.decay),
            .step_size = static_cast<float>(lr / (1.0 - std::pow(beta1, t))),
            .mix1 = static_cast<float>(1.0 - beta1),
            .beta2 = static_cast<float>(beta2),
            .mix2 = static_cast<float>(1.0 - beta2),
            .root_correction = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(beta2, t))),
            .eps = static_cast<float>(config_.eps)};
  }

  void update_here(const AdamWFactors& f, const Segment& segment) {
    const float* g = range_.grads.const_data_ptr<float>() + segment.begin;
    float* w = range_.values.mutable_data_ptr<float>() + segment.begin;
    float* m = first_.mutable_data_ptr<float>() + segment.begin;
    float* v = second_.mutable_data_ptr<float>() + segment.begin;
    in_parts(segment.end - segment.begin, [&](int64_t first, int64_t count) {
      adamw_range(f, count, g + first, w + first, m + first, v + first);
    });
  }

  void update_composed(const AdamWFactors& f, const Segment& segment) {
    const auto part = [&](const at::Tensor& flat) {
      return flat.narrow(0, segment.begin, segment.end - segment.begin);
    };
    const at::Tensor g = part(range_.grads), m = part(first_), v = part(second_);
    m.lerp_(g, f.mix1);
    v.mul_(f.beta2).addcmul_(g, g, f.mix2);
    const at::Tensor root = v.sqrt().mul_(f.root_correction).add_(f.eps);
    const at::Tensor direction = at::where(root > 0, m / root, at::zeros({}, root.options()));
    part(range_.values).mul_(f.keep).sub_(direction, f.step_size);
  }

  config::AdamWConfig config_;
  Range range_;
  at::Tensor first_, second_;  // moments, of the range's layout
};

}  // namespace

MakeRule::Made MakeRule::operator()(const config::AdamWConfig& config) {
  return std::make_unique<AdamW>(config, std::move(range));
}

}  // namespace muonlab::optim
