// Dion2 (arXiv 2512.16928): Muon on the rows or columns, whichever are fewer, whose summed
// gradients are largest. What was applied shrinks in the sum; the rest waits for its turn.
#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "muonlab/base/error.hpp"
#include "optim/blocks.hpp"
#include "optim/polar_batch.hpp"
#include "optim/polar_stage.hpp"

namespace muonlab::optim {
namespace {

class Dion2 final : public Rule {
 public:
  Dion2(const config::Dion2Config& config, Range range, const config::RunConfig& run)
      : config_(config),
        range_(std::move(range)),
        polar_(polar_settings(config, run)),
        momentum_(at::zeros_like(range_.values)) {
    for (const Member& member : range_.members) {
      base::check(member.spec.shape.size() == 2, "dion2: " + member.spec.name + " is no matrix");
      if (config_.normalize)
        mean_squares_.push_back(at::zeros({side_of(member)}, range_.values.options()));
    }
    groups_ = members_by_shape(range_, [](const Member&) { return true; });
    chosen_.resize(range_.members.size());
  }

  void update(const UpdateStep& now) override {
    momentum_.add_(range_.grads);
    if (config_.decay > 0) range_.values.mul_(1.0 - now.lr * config_.decay);
    for (const std::vector<size_t>& group : groups_) {
      for_polar_factors(
          range_, polar_, group, [&](size_t i) { return choose(i); },
          [&](size_t i, at::Tensor polar_kl) { apply(now.lr, i, std::move(polar_kl)); });
      num_orthogonalizations_ += static_cast<int64_t>(group.size());
    }
  }

  Division division() const override { return division_of(range_, polar_); }

  std::vector<tensor::NamedTensor> state() override {
    auto all = named_state(range_, momentum_, config_.moments().first);
    for (size_t i = 0; i < mean_squares_.size(); ++i)
      all.push_back({range_.members[i].spec.name + "/polar_mean_square", mean_squares_[i]});
    return all;
  }

  int64_t num_orthogonalizations() const override { return num_orthogonalizations_; }

 private:
  static int64_t side_of(const Member& member) {
    return std::min(member.spec.shape[0], member.spec.shape[1]);
  }

  // A member's part of a flat tensor, with the side that is chosen from first.
  at::Tensor side_first(const at::Tensor& flat, const Member& member) const {
    const at::Tensor view = range_.view(flat, member);
    return view.size(0) <= view.size(1) ? view : view.t();
  }

  // The rows of the summed gradients that this step applies; they shrink in the sum.
  at::Tensor choose(size_t i) {
    const Member& member = range_.members[i];
    const at::Tensor m_sl = side_first(momentum_, member);
    const auto side = static_cast<double>(side_of(member));
    const auto k = static_cast<int64_t>(std::ceil(config_.fraction * side - 1e-9));
    const at::Tensor sums = m_sl.abs().sum(1);
    // in order of place, so that a fraction of one leaves the matrix as it is
    const at::Tensor places = std::get<1>(at::topk(sums, std::max<int64_t>(1, k)));
    chosen_[i] = std::get<0>(places.sort());
    const at::Tensor rows_kl = m_sl.index_select(0, chosen_[i]);
    at::Tensor(m_sl).index_copy_(0, chosen_[i], rows_kl * config_.momentum);
    return rows_kl;
  }

  void apply(double lr, size_t i, at::Tensor polar_kl) {
    const Member& member = range_.members[i];
    if (config_.normalize) {
      const at::Tensor own = mean_squares_[i].index_select(0, chosen_[i]);
      polar_kl = divide_by_mean_squares(std::move(polar_kl), own, 1, config_.beta2);
      mean_squares_[i].index_copy_(0, chosen_[i], own);
    }
    const double scale = scale_of(config_.scale, member.spec.shape[0], member.spec.shape[1]);
    side_first(range_.values, member).index_add_(0, chosen_[i], polar_kl, -lr * scale);
  }

  config::Dion2Config config_;
  Range range_;
  PolarSettings polar_;
  at::Tensor momentum_;                   // of the range's layout
  std::vector<at::Tensor> mean_squares_;  // of the members, [shorter side]; empty: not normalized
  std::vector<at::Tensor> chosen_;        // of the members, in this step
  std::vector<std::vector<size_t>> groups_;
  int64_t num_orthogonalizations_ = 0;
};

}  // namespace

MakeRule::Made MakeRule::operator()(const config::Dion2Config& config) {
  return std::make_unique<Dion2>(config, std::move(range), run);
}

}  // namespace muonlab::optim
