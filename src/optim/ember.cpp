// Ember (arXiv 2607.01455): the gradient over the root of a second moment in two factors, the
// averaged mean squares of rows and of columns over their common mean. No first moment: an entry of
// a row that is seldom seen moves by the gradient of now alone.
#include <cmath>

#include <ATen/ATen.h>

#include "muonlab/base/error.hpp"
#include "muonlab/optim/rule.hpp"

namespace muonlab::optim {
namespace {

class Ember final : public Rule {
 public:
  Ember(const config::EmberConfig& config, Range range)
      : config_(config), range_(std::move(range)) {
    for (const Member& member : range_.members) {
      base::check(member.spec.shape.size() == 2, "ember: " + member.spec.name + " is no matrix");
      const auto& options = range_.values.options();
      factors_.push_back(
          {at::zeros({member.spec.shape[0]}, options), at::zeros({member.spec.shape[1]}, options)});
    }
  }

  void update(const UpdateStep& now) override {
    for (size_t i = 0; i < factors_.size(); ++i) update_one(now.lr, i);
  }

  double cost(const Member& member) const override {
    return static_cast<double>(member.spec.count());
  }

  std::vector<tensor::NamedTensor> state() override {
    std::vector<tensor::NamedTensor> all;
    for (size_t i = 0; i < factors_.size(); ++i) {
      const std::string& name = range_.members[i].spec.name;
      all.push_back({name + "/row_mean_square", factors_[i].rows});
      all.push_back({name + "/column_mean_square", factors_[i].columns});
    }
    return all;
  }

 private:
  struct Factors {
    at::Tensor rows, columns;
  };

  void update_one(double lr, size_t i) {
    const Member& member = range_.members[i];
    const Factors& f = factors_[i];
    const at::Tensor g_rc = range_.view(range_.grads, member);
    const at::Tensor w_rc = range_.view(range_.values, member);
    const double mix = 1.0 - config_.beta2;
    const auto rows = static_cast<double>(g_rc.size(0)), cols = static_cast<double>(g_rc.size(1));
    at::Tensor squares_rc = g_rc.square();
    f.rows.mul_(config_.beta2).add_(squares_rc.sum(1), mix / cols);
    f.columns.mul_(config_.beta2).add_(squares_rc.sum(0), mix / rows);
    const auto age = static_cast<double>(range_.ages.const_data_ptr<int64_t>()[i]);
    // The common mean is the mean of either factor. v = row column / (mean (1 - beta2^t)).
    const at::Tensor mean = f.rows.mean() * (1.0 - std::pow(config_.beta2, age));
    const at::Tensor scaled = at::where(mean > 0, f.rows / mean, at::zeros_like(f.rows));
    at::Tensor root_rc = std::move(squares_rc);  // its memory
    at::mul_out(root_rc, scaled.sqrt().unsqueeze(1), f.columns.sqrt().unsqueeze(0));
    root_rc.add_(config_.eps);
    const at::Tensor direction_rc = g_rc / root_rc;
    if (config_.eps == 0) direction_rc.masked_fill_(root_rc == 0, 0.0);
    if (config_.decay > 0) w_rc.mul_(1.0 - lr * config_.decay);
    w_rc.sub_(direction_rc, lr);
  }

  config::EmberConfig config_;
  Range range_;
  std::vector<Factors> factors_;  // of the members
};

}  // namespace

MakeRule::Made MakeRule::operator()(const config::EmberConfig& config) {
  return std::make_unique<Ember>(config, std::move(range));
}

}  // namespace muonlab::optim
