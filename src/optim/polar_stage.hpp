// Muon with something between the polar factor and its scale: the seam of NorMuon and AdaMuon.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include <ATen/core/Tensor.h>

#include "muonlab/optim/rule.hpp"
#include "optim/blocks.hpp"

namespace muonlab::optim {

// What a member of a range is cut into.
struct MemberBlocks {
  Member member;
  std::vector<Block> blocks;
};

class PolarStage {
 public:
  virtual ~PolarStage() = default;
  // What takes the place of a block's polar factor o_rc (fp32, contiguous, may be overwritten), in
  // the same shape. Different blocks may be asked for at once, from several threads.
  virtual at::Tensor direction(const Block& block, at::Tensor o_rc) = 0;
  virtual std::vector<tensor::NamedTensor> state() = 0;
};

// Makes the stage for a range whose members are cut so.
using MakeStage = std::function<std::unique_ptr<PolarStage>(const Range& range,
                                                            const std::vector<MemberBlocks>&)>;

// Muon, with the stage that `make_stage` makes (empty: none), from the momentum or its signs.
std::unique_ptr<Rule> make_muon(const config::MuonConfig& config, Range range,
                                const config::RunConfig& run, const MakeStage& make_stage,
                                bool sign);

// Averages of mean squares along one side of a block, and the division by their roots that keeps
// the block's Frobenius norm (NorMuon; arXiv 2510.05491).
//   second  [side], the averages, updated
//   dim     the dimension that the means are taken over
at::Tensor divide_by_mean_squares(at::Tensor o_rc, const at::Tensor& second, int64_t dim,
                                  double beta2);

}  // namespace muonlab::optim
