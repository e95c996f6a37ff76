// SOAP (arXiv 2409.11321): Adam in the eigenbasis of the averages of G Gᵀ and Gᵀ G.
//
// The first moment is kept in the parameter's own basis and turned in each step, so that a new
// basis needs no turning of it and its spectra can be read. The second moment is kept in the
// eigenbasis; where a new basis changes the order of its vectors, it is reordered alike. As in the
// authors' code a gradient is turned by a basis that it is not part of.
#include <cmath>

#include <ATen/ATen.h>

#include "muonlab/base/error.hpp"
#include "optim/blocks.hpp"
#include "optim/polar_batch.hpp"

namespace muonlab::optim {
namespace {

// One side of a matrix: the average whose eigenvectors are its basis. Undefined for a side that
// keeps its own basis.
struct Side {
  at::Tensor factor, basis;
  at::Tensor eigenvalues{};  // of the factor before this step, corrected for its age
};

at::Tensor eigenvectors(const at::Tensor& factor) {
  const at::Tensor ascending = std::get<1>(at::linalg_eigh(factor.to(at::kDouble)));
  return ascending.flip(1).to(at::kFloat);
}

class Soap final : public Rule {
 public:
  Soap(const config::SoapConfig& config, Range range, const config::RunConfig& run)
      : config_(config),
        range_(std::move(range)),
        polar_(polar_settings(config, run)),
        first_(at::zeros_like(range_.values)),
        second_(at::zeros_like(range_.values)) {
    const auto side = [&](int64_t n) {
      if (n > config_.max_side) return Side{};
      const auto options = range_.values.options();
      return Side{at::zeros({n, n}, options), at::zeros({n, n}, options)};
    };
    for (const Member& member : range_.members) {
      base::check(member.spec.shape.size() == 2, "soap: " + member.spec.name + " is no matrix");
      sides_.push_back({side(member.spec.shape[0]), side(member.spec.shape[1])});
    }
    if (config_.polar) groups_ = members_by_shape(range_, [](const Member&) { return true; });
  }

  void update(const UpdateStep& now) override {
    if (config_.decay > 0) range_.values.mul_(1.0 - now.lr * config_.decay);
    const auto step_by = [&](size_t i, const at::Tensor& direction_rc, double scale) {
      range_.view(range_.values, range_.members[i]).sub_(direction_rc, now.lr * scale);
    };
    if (!config_.polar) {
      for_each_matrix(range_, sides_.size(), [&](size_t i) { step_by(i, direction(i), 1.0); });
      return;
    }
    for (const std::vector<size_t>& group : groups_) {
      for_polar_factors(
          range_, polar_, group, [&](size_t i) { return direction(i); },
          [&](size_t i, const at::Tensor& polar_rc) {
            step_by(i, polar_rc, scale_of(config_.scale, polar_rc.size(0), polar_rc.size(1)));
          });
      num_orthogonalizations_ += static_cast<int64_t>(group.size());
    }
  }

  Division division() const override {
    return config_.polar ? division_of(range_, polar_) : Division::members;
  }

  std::vector<tensor::NamedTensor> state() override {
    auto all = named_state(range_, first_, config_.moments().first);
    for (auto& second : named_state(range_, second_, "basis_exp_avg_sq"))
      all.push_back(std::move(second));
    for (size_t i = 0; i < sides_.size(); ++i) {
      const std::string& name = range_.members[i].spec.name;
      for (const auto& [side, label] :
           {std::pair{&sides_[i].left, "left"}, std::pair{&sides_[i].right, "right"}}) {
        if (!side->factor.defined()) continue;
        all.push_back({base::str(name, "/", label, "_factor"), side->factor});
        all.push_back({base::str(name, "/", label, "_basis"), side->basis});
      }
    }
    return all;
  }

  int64_t num_orthogonalizations() const override { return num_orthogonalizations_; }

 private:
  struct Sides {
    Side left, right;
  };

  // Moments and basis of a member, and what SOAP applies: zero in the first update, which only
  // finds the basis. (In a basis made of the current gradient alone that gradient is diagonal, and
  // the rounding beside the diagonal would be divided by itself.)
  at::Tensor direction(size_t i) {
    const Member& member = range_.members[i];
    Sides& sides = sides_[i];
    const at::Tensor g_rc = range_.view(range_.grads, member);
    const at::Tensor m_rc = range_.view(first_, member);
    const at::Tensor v_rc = range_.view(second_, member);
    const int64_t age = range_.ages.const_data_ptr<int64_t>()[i];
    const auto [beta1, beta2] = config_.betas;

    at::Tensor direction_rc = at::zeros_like(g_rc);
    if (age > 1) {
      m_rc.lerp_(g_rc, 1.0 - beta1);
      const at::Tensor turned_rc = into_basis(sides, g_rc);
      v_rc.mul_(beta2).addcmul_(turned_rc, turned_rc, 1.0 - beta2);
      const auto t = static_cast<double>(age - 1);
      const at::Tensor root_rc = v_rc.div(1.0 - std::pow(beta2, t)).sqrt_().add_(config_.eps);
      const at::Tensor adam_rc =
          into_basis(sides, m_rc).div_(1.0 - std::pow(beta1, t)).div_(root_rc);
      if (config_.eps == 0) adam_rc.masked_fill_(root_rc == 0, 0.0);
      direction_rc = out_of_basis(sides, adam_rc);
    }
    average_factors(g_rc, age, sides);
    if ((age - 1) % config_.basis_every == 0) {
      update_basis(sides.left, age, v_rc, 0);
      update_basis(sides.right, age, v_rc, 1);
    }
    return direction_rc;
  }

  // L <- b L + (1 - b) G Gᵀ, R alike; or KL-Shampoo's: each side weighted by the inverse of the
  // other's eigenvalues, over the length of that other side.
  void average_factors(const at::Tensor& g_rc, int64_t age, Sides& sides) {
    const double beta = config_.basis_beta;
    const auto average = [&](Side& side, const at::Tensor& g, const Side& other) {
      if (!side.factor.defined()) return;
      const double mix = (1.0 - beta) / (config_.kl ? static_cast<double>(g.size(1)) : 1.0);
      at::Tensor weighted = g, plain = g;
      if (other.eigenvalues.defined()) {
        plain = at::mm(g, other.basis);
        weighted = plain / other.eigenvalues;
      }
      side.factor.addmm_(weighted, plain.t(), beta, mix);
    };
    for (Side* side : {&sides.left, &sides.right}) {
      const bool known = config_.kl && age > 1 && side->factor.defined();
      if (!known) continue;
      const double seen = 1.0 - std::pow(beta, static_cast<double>(age - 1));
      side->eigenvalues = estimate(*side).div_(seen).clamp_min_(config_.eps);
    }
    average(sides.left, g_rc, sides.right);
    average(sides.right, g_rc.t(), sides.left);
  }

  // diag(Qᵀ F Q)
  static at::Tensor estimate(const Side& side) {
    return at::mm(side.factor, side.basis).mul_(side.basis).sum(0);
  }

  // The first time the eigenvectors, by falling eigenvalue; then one step of the power iteration,
  // whose order of vectors the second moment follows.
  static void update_basis(Side& side, int64_t age, const at::Tensor& second_rc, int64_t dim) {
    if (!side.factor.defined()) return;
    if (age == 1) {
      side.basis.copy_(eigenvectors(side.factor));
      return;
    }
    const at::Tensor moved = at::mm(side.factor, side.basis);
    const at::Tensor order = at::argsort(at::mul(moved, side.basis).sum(0), /*stable=*/true,
                                         /*dim=*/0, /*descending=*/true);
    second_rc.copy_(second_rc.index_select(dim, order));
    side.basis.copy_(std::get<0>(at::linalg_qr(moved.index_select(1, order))));
  }

  static at::Tensor into_basis(const Sides& sides, const at::Tensor& x_rc) {
    at::Tensor turned = x_rc;
    if (sides.left.basis.defined()) turned = at::mm(sides.left.basis.t(), turned);
    if (sides.right.basis.defined()) turned = at::mm(turned, sides.right.basis);
    return turned.is_same(x_rc) ? x_rc.clone() : turned;
  }
  static at::Tensor out_of_basis(const Sides& sides, const at::Tensor& x_rc) {
    at::Tensor turned = x_rc;
    if (sides.left.basis.defined()) turned = at::mm(sides.left.basis, turned);
    if (sides.right.basis.defined()) turned = at::mm(turned, sides.right.basis.t());
    return turned;
  }

  config::SoapConfig config_;
  Range range_;
  PolarSettings polar_;
  at::Tensor first_, second_;  // of the range's layout; the second in the eigenbasis
  std::vector<Sides> sides_;   // of the members
  std::vector<std::vector<size_t>> groups_;
  int64_t num_orthogonalizations_ = 0;
};

}  // namespace

MakeRule::Made MakeRule::operator()(const config::SoapConfig& config) {
  return std::make_unique<Soap>(config, std::move(range), run);
}

}  // namespace muonlab::optim
