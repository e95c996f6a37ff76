// Scion (arXiv 2502.07529): steps to the corner of a unit ball, in a norm by the parameter's role.
#include <ATen/ATen.h>

#include "muonlab/base/error.hpp"
#include "optim/blocks.hpp"
#include "optim/polar_batch.hpp"

namespace muonlab::optim {
namespace {

using config::Role;
using config::ScionNorm;

class Scion final : public Rule {
 public:
  Scion(const config::ScionConfig& config, Range range, const config::RunConfig& run)
      : config_(config),
        range_(std::move(range)),
        polar_(polar_settings(config, run)),
        tied_(run.model.tied) {
    for (const Member& member : range_.members)
      base::check(member.spec.shape.size() == 2, "scion: " + member.spec.name + " is no matrix");
    if (config_.momentum > 0) average_ = at::zeros_like(range_.values);
    spectral_ = members_by_shape(
        range_, [this](const Member& m) { return norm_of(m) == ScionNorm::spectral; });
  }

  void update(const UpdateStep& now) override {
    at::Tensor direction = range_.grads;
    if (average_.defined()) {
      average_.mul_(config_.momentum).add_(range_.grads, 1.0 - config_.momentum);
      direction = average_;
    }
    if (config_.decay > 0) range_.values.mul_(1.0 - now.lr * config_.decay);
    const auto step_by = [&](const Member& member, const at::Tensor& corner_rc, double scale) {
      range_.view(range_.values, member).sub_(corner_rc, now.lr * radius_of(member) * scale);
    };
    for (const std::vector<size_t>& group : spectral_) {
      for_polar_factors(
          range_, polar_, group,
          [&](size_t i) { return range_.view(direction, range_.members[i]); },
          [&](size_t i, const at::Tensor& polar_rc) {
            step_by(range_.members[i], polar_rc,
                    scale_of(config::MuonScale::ratio, polar_rc.size(0), polar_rc.size(1)));
          });
      num_orthogonalizations_ += static_cast<int64_t>(group.size());
    }
    for (const Member& member : range_.members) {
      const at::Tensor m_rc = range_.view(direction, member);
      if (norm_of(member) == ScionNorm::sign) {
        step_by(member, m_rc.sign(), 1.0 / static_cast<double>(m_rc.size(1)));
      } else if (norm_of(member) == ScionNorm::row) {
        step_by(member, unit_rows(m_rc), 1.0);
      }
    }
  }

  Division division() const override { return division_of(range_, polar_); }
  double cost(const Member& member) const override {
    return norm_of(member) == ScionNorm::spectral ? Rule::cost(member)
                                                  : static_cast<double>(member.spec.count());
  }

  std::vector<tensor::NamedTensor> state() override {
    if (!average_.defined()) return {};
    return named_state(range_, average_, config_.moments().first);
  }

  int64_t num_orthogonalizations() const override { return num_orthogonalizations_; }

 private:
  // Rows of mean square one; rows of zeros stay.
  static at::Tensor unit_rows(const at::Tensor& m_rc) {
    const at::Tensor rms_r1 = m_rc.square().mean(1, /*keepdim=*/true).sqrt_();
    return m_rc / rms_r1.masked_fill_(rms_r1 == 0, 1.0);
  }

  ScionNorm norm_of(const Member& member) const {
    if (config_.norm != ScionNorm::automatic) return config_.norm;
    switch (member.spec.role) {
      case Role::embed: return tied_ ? ScionNorm::sign : ScionNorm::row;
      case Role::head: return ScionNorm::sign;
      default: return ScionNorm::spectral;
    }
  }

  double radius_of(const Member& member) const {
    switch (member.spec.role) {
      case Role::embed: return tied_ ? config_.head_radius : config_.embed_radius;
      case Role::head: return config_.head_radius;
      default: return config_.radius;
    }
  }

  config::ScionConfig config_;
  Range range_;
  PolarSettings polar_;
  bool tied_;
  at::Tensor average_;  // of the range's layout; undefined without momentum
  std::vector<std::vector<size_t>> spectral_;
  int64_t num_orthogonalizations_ = 0;
};

}  // namespace

MakeRule::Made MakeRule::operator()(const config::ScionConfig& config) {
  return std::make_unique<Scion>(config, std::move(range), run);
}

}  // namespace muonlab::optim
