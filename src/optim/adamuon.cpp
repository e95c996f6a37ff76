// AdaMuon (arXiv 2507.11005), its dialects by switches.
#include <cmath>

#include <ATen/ATen.h>

#include "optim/polar_stage.hpp"

namespace muonlab::optim {
namespace {

class Squares final : public PolarStage {
 public:
  Squares(const config::AdaMuonConfig& config, const Range& range)
      : config_(config), range_(range), second_(at::zeros_like(range.values)) {}

  at::Tensor direction(const Block& block, at::Tensor o_rc) override {
    const at::Tensor second = block_view(second_, block);
    second.mul_(config_.beta2).addcmul_(o_rc, o_rc, 1.0 - config_.beta2);
    const at::Tensor divisor = second.sqrt().add_(config_.eps);
    o_rc.div_(divisor);
    if (config_.eps == 0) o_rc.masked_fill_(divisor == 0, 0.0);
    if (!config_.rescale) return o_rc;
    const at::Tensor norm = at::linalg_vector_norm(o_rc);
    const double exact = std::sqrt(static_cast<double>(block.short_side()));
    return o_rc.mul_(at::where(norm > 0, exact / norm, at::zeros_like(norm)));
  }

  std::vector<tensor::NamedTensor> state() override {
    return named_state(range_, second_, "polar_square");
  }

 private:
  config::AdaMuonConfig config_;
  Range range_;
  at::Tensor second_;  // of the range's layout
};

}  // namespace

MakeRule::Made MakeRule::operator()(const config::AdaMuonConfig& config) {
  const auto stage = [&](const Range& own, const std::vector<MemberBlocks>&) {
    return std::make_unique<Squares>(config, own);
  };
  return make_muon(config, std::move(range), run, stage, config.sign);
}

}  // namespace muonlab::optim
