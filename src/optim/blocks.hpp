// The matrices that a rule treats by themselves: whole parameters, or heads of attention.
#pragma once

#include <cmath>
#include <vector>

#include <ATen/core/Tensor.h>

#include "muonlab/optim/rule.hpp"
#include "optim/muon_kernels.hpp"

namespace muonlab::optim {

// One block for a whole parameter; with heads > 0 one for so many neighbouring heads: row blocks of
// q, k and v, column blocks of o.
std::vector<Block> blocks_of(const Member& member, int64_t heads, int64_t head_dim);

double scale_of(config::MuonScale scale, int64_t rows, int64_t cols);

// The block in a flat tensor of the range's layout: [rows, cols], and the same turned so that the
// short side comes first.
at::Tensor block_view(const at::Tensor& flat, const Block& block);
at::Tensor short_first(const at::Tensor& flat, const Block& block);

}  // namespace muonlab::optim
