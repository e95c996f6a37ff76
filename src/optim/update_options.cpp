// What every rule's update can be asked for: hyperball, a floor, cautious decay, decay by the
// square of the learning rate.
//
// A rule's direction does not depend on the weights, so the rule inside works on zeros in place of
// them, without decay, and leaves the step it would take. The step is then shaped and taken.
#include <cmath>

#include <ATen/ATen.h>

#include "muonlab/base/error.hpp"
#include "muonlab/optim/rule.hpp"

namespace muonlab::optim {
namespace {

class ShapedUpdate final : public Rule {
 public:
  ShapedUpdate(const config::UpdateOptions& options, double decay, const Range& range,
               const at::Tensor& step, std::unique_ptr<Rule> rule)
      : options_(options), decay_(decay), range_(range), step_(step), rule_(std::move(rule)) {
    for (size_t i = 0; options_.hyperball && i < range_.members.size(); ++i)
      radii_.push_back(at::zeros({}, range_.values.options().dtype(at::kDouble)));
  }

  void update(const UpdateStep& now) override {
    step_.zero_();
    rule_->update(now);
    if (now.lr == 0) return;
    for (size_t i = 0; i < range_.members.size(); ++i) {
      const at::Tensor weights = range_.view(range_.values, range_.members[i]);
      const at::Tensor step = range_.view(step_, range_.members[i]);
      if (options_.hyperball) {
        move_on_sphere(now.lr, i, weights, step);
      } else {
        move(now.lr, weights, step);
      }
    }
  }

  std::vector<tensor::NamedTensor> state() override {
    auto all = rule_->state();
    for (size_t i = 0; i < radii_.size(); ++i)
      all.push_back({range_.members[i].spec.name + "/radius", radii_[i]});
    return all;
  }

  // A norm is one of a whole member.
  Division division() const override {
    const bool by_norms = options_.hyperball || options_.floor > 0;
    const Division inside = rule_->division();
    return inside == Division::elements && by_norms ? Division::members : inside;
  }
  double cost(const Member& member) const override {
    return rule_->division() == Division::elements ? static_cast<double>(member.spec.count())
                                                   : rule_->cost(member);
  }

  int64_t num_orthogonalizations() const override { return rule_->num_orthogonalizations(); }

 private:
  static double norm(const at::Tensor& x) {
    return at::linalg_vector_norm(x, 2, at::OptionalIntArrayRef{}, false, at::kDouble)
        .item<double>();
  }

  // W <- R (W + lr R d) / |W + lr R d| with d the direction of the step, of length one, and R the
  // first norm of W (arXiv 2606.16899).
  void move_on_sphere(double lr, size_t i, const at::Tensor& weights, const at::Tensor& step) {
    double radius = radii_[i].item<double>();
    if (radius == 0) {
      radius = norm(weights);
      if (radius == 0) {
        throw base::Error(range_.members[i].spec.name,
                          " is zero, so hyperball has no norm to keep; give it another optimizer "
                          "or other initial values");
      }
      radii_[i].fill_(radius);
    }
    const double length = norm(step);
    if (length == 0) return;
    weights.add_(step, lr * radius / length);
    const double moved = norm(weights);
    if (moved == 0) {
      throw base::Error(range_.members[i].spec.name,
                        ": a hyperball step ended at zero; lower the learning rate");
    }
    weights.mul_(radius / moved);
  }

  void move(double lr, const at::Tensor& weights, const at::Tensor& step) const {
    double grow = 1.0;
    if (options_.floor > 0) {
      const double length = norm(step) / lr, least = options_.floor * norm(weights);
      if (length > 0 && length < least) grow = least / length;
    }
    const bool squared = options_.decay_form == config::DecayForm::rate_squared;
    const double share = lr * decay_ * (squared ? lr : 1.0);
    if (share > 0 && options_.cautious) {
      // The step is what is added, so it moves a weight towards zero where the signs differ.
      weights.addcmul_(weights, (step * weights).le_(0.0), -share);
    } else if (share > 0) {
      weights.mul_(1.0 - share);
    }
    weights.add_(step, grow);
  }

  config::UpdateOptions options_;
  double decay_;
  Range range_;
  at::Tensor step_;  // of the range's layout; what the rule adds to zeros
  std::unique_ptr<Rule> rule_;
  std::vector<at::Tensor> radii_;  // of the members, fp64; 0: before the first update
};

}  // namespace

std::unique_ptr<Rule> make_rule(const config::OptimizerConfig& config, const Range& range,
                                const config::RunConfig& run) {
  return std::visit(
      [&](auto rule) -> std::unique_ptr<Rule> {
        if (!rule.shapes_update()) return MakeRule{range, run}(rule);
        const config::UpdateOptions options = rule;
        const double decay = rule.decay;
        rule.decay = 0.0;
        Range inner = range;
        inner.values = at::zeros_like(range.values);
        inner.on_plugin = false;  // the host shapes what the rule leaves
        auto made = MakeRule{inner, run}(rule);
        return std::make_unique<ShapedUpdate>(options, decay, range, inner.values, std::move(made));
      },
      config);
}

}  // namespace muonlab::optim
