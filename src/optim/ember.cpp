// Ember (arXiv 2607.01455): the gradient over the root of a second moment in two factors, the
// averaged mean squares of rows and of columns over their common mean. No first moment: an entry of
// a row that is seldom seen moves by the gradient of now alone.
#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "muonlab/base/error.hpp"
#include "muonlab/optim/rule.hpp"
#include "optim/elementwise_kernels.hpp"

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
    const auto [row_sums, column_sums] = range_.composed ? sums_composed(g_rc) : sums_here(g_rc);
    const double mix = 1.0 - config_.beta2;
    const auto rows = static_cast<double>(g_rc.size(0)), cols = static_cast<double>(g_rc.size(1));
    f.rows.mul_(config_.beta2).add_(row_sums, mix / cols);
    f.columns.mul_(config_.beta2).add_(column_sums, mix / rows);
    const auto age = static_cast<double>(range_.ages.const_data_ptr<int64_t>()[i]);
    // The common mean is the mean of either factor. v = row column / (mean (1 - beta2^t)).
    const at::Tensor mean = f.rows.mean() * (1.0 - std::pow(config_.beta2, age));
    const at::Tensor scaled = at::where(mean > 0, f.rows / mean, at::zeros_like(f.rows));
    const Factors roots{scaled.sqrt(), f.columns.sqrt()};
    range_.composed ? apply_composed(lr, roots, g_rc, w_rc) : apply_here(lr, roots, g_rc, w_rc);
  }

  // Of the squares of g, over rows and over columns.
  static Factors sums_composed(const at::Tensor& g_rc) {
    const at::Tensor squares_rc = g_rc.square();
    return {squares_rc.sum(1), squares_rc.sum(0)};
  }

  // Blocks of so many rows have sums of their own, whatever the number of threads.
  static Factors sums_here(const at::Tensor& g_rc) {
    constexpr int64_t kBlock = 64;
    const int64_t rows = g_rc.size(0), cols = g_rc.size(1), num_blocks = (rows - 1) / kBlock + 1;
    const Factors sums{at::empty({rows}, g_rc.options()),
                       at::zeros({num_blocks, cols}, g_rc.options())};
    const float* g = g_rc.const_data_ptr<float>();
    float* of_rows = sums.rows.mutable_data_ptr<float>();
    float* of_columns = sums.columns.mutable_data_ptr<float>();
    at::parallel_for(0, num_blocks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t block = begin; block < end; ++block) {
        const int64_t first = block * kBlock;
        sum_squares(std::min(kBlock, rows - first), cols, g + first * cols, of_rows + first,
                    of_columns + block * cols);
      }
    });
    return {sums.rows, sums.columns.sum(0)};
  }

  void apply_composed(double lr, const Factors& roots, const at::Tensor& g_rc,
                      const at::Tensor& w_rc) const {
    const at::Tensor root_rc =
        at::mul(roots.rows.unsqueeze(1), roots.columns.unsqueeze(0)).add_(config_.eps);
    const at::Tensor direction_rc = g_rc / root_rc;
    if (config_.eps == 0) direction_rc.masked_fill_(root_rc == 0, 0.0);
    if (config_.decay > 0) w_rc.mul_(1.0 - lr * config_.decay);
    w_rc.sub_(direction_rc, lr);
  }

  void apply_here(double lr, const Factors& roots, const at::Tensor& g_rc,
                  const at::Tensor& w_rc) const {
    const EmberFactors factors{.keep = static_cast<float>(1.0 - lr * config_.decay),
                               .lr = static_cast<float>(lr),
                               .eps = static_cast<float>(config_.eps)};
    const int64_t cols = g_rc.size(1);
    const float* g = g_rc.const_data_ptr<float>();
    const float* of_rows = roots.rows.const_data_ptr<float>();
    const float* of_columns = roots.columns.const_data_ptr<float>();
    float* w = w_rc.mutable_data_ptr<float>();
    at::parallel_for(0, g_rc.size(0), 16, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r)
        ember_row(factors, cols, of_rows[r], of_columns, g + r * cols, w + r * cols);
    });
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
