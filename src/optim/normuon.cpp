// NorMuon (arXiv 2510.05491).
#include <map>

#include <ATen/ATen.h>

#include "muonlab/base/error.hpp"
#include "optim/polar_stage.hpp"

namespace muonlab::optim {
namespace {

class MeanSquares final : public PolarStage {
 public:
  MeanSquares(const config::NorMuonConfig& config, const Range& range,
              const std::vector<MemberBlocks>& members)
      : config_(config) {
    for (const MemberBlocks& cut : members) {
      const Block& first = cut.blocks.front();
      const int64_t side = is_of_rows(first) ? first.rows : first.cols;
      const auto count = static_cast<int64_t>(cut.blocks.size());
      const at::Tensor second = at::zeros({count * side}, range.values.options());
      state_.push_back({base::str(cut.member.spec.name, "/polar_mean_square"), second});
      for (int64_t i = 0; i < count; ++i)
        second_[cut.blocks[static_cast<size_t>(i)].offset] = second.narrow(0, i * side, side);
    }
  }

  at::Tensor direction(const Block& block, at::Tensor o_rc) override {
    return divide_by_mean_squares(std::move(o_rc), second_.at(block.offset),
                                  is_of_rows(block) ? 1 : 0, config_.beta2);
  }

  std::vector<tensor::NamedTensor> state() override { return state_; }

 private:
  bool is_of_rows(const Block& block) const {
    return config_.axis == config::NormAxis::rows || block.rows >= block.cols;
  }

  config::NorMuonConfig config_;
  std::vector<tensor::NamedTensor> state_;
  std::map<int64_t, at::Tensor> second_;  // of the blocks, by offset
};

}  // namespace

at::Tensor divide_by_mean_squares(at::Tensor o_rc, const at::Tensor& second, int64_t dim,
                                  double beta2) {
  constexpr double kEps = 1e-10;  // of the authors' code
  const auto cols = static_cast<double>(o_rc.size(dim));
  const at::Tensor squares = o_rc.square().sum(dim);
  second.mul_(beta2).add_(squares, (1.0 - beta2) / cols);
  const at::Tensor divisor = second.sqrt().add_(kEps);
  // F(O) / F(O'), both from the sums of squares; 0 for a zero factor
  const at::Tensor before = squares.sum(), after = squares.div(divisor).div_(divisor).sum();
  const at::Tensor keep = at::where(after > 0, at::sqrt(before / after), at::zeros_like(after));
  return o_rc.mul_(at::reciprocal(divisor).mul_(keep).unsqueeze(dim));
}

MakeRule::Made MakeRule::operator()(const config::NorMuonConfig& config) {
  const auto stage = [&](const Range& own, const std::vector<MemberBlocks>& members) {
    return std::make_unique<MeanSquares>(config, own, members);
  };
  return make_muon(config, std::move(range), run, stage, /*sign=*/false);
}

}  // namespace muonlab::optim
