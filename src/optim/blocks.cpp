#include "optim/blocks.hpp"

#include <ATen/ATen.h>

#include "muonlab/base/error.hpp"

namespace muonlab::optim {

using config::Role;

std::vector<Block> blocks_of(const Member& member, int64_t heads, int64_t head_dim) {
  base::check(member.spec.shape.size() == 2, member.spec.name + " is no matrix");
  const int64_t rows = member.spec.shape[0], cols = member.spec.shape[1];
  const Role role = member.spec.role;
  const int64_t side = heads * head_dim;
  std::vector<Block> blocks;
  if (heads > 0 && (role == Role::q || role == Role::k || role == Role::v)) {
    base::check(rows % side == 0,
                "muon: the rows of " + member.spec.name + " are not whole groups of heads");
    for (int64_t i = 0; i < rows; i += side)
      blocks.push_back({member.offset + i * cols, side, cols, cols});
  } else if (heads > 0 && role == Role::o) {
    base::check(cols % side == 0,
                "muon: the columns of " + member.spec.name + " are not whole groups of heads");
    for (int64_t j = 0; j < cols; j += side)
      blocks.push_back({member.offset + j, rows, side, cols});
  } else {
    blocks.push_back({member.offset, rows, cols, cols});
  }
  return blocks;
}

double scale_of(config::MuonScale scale, int64_t rows, int64_t cols) {
  const auto r = static_cast<double>(rows), c = static_cast<double>(cols);
  switch (scale) {
    case config::MuonScale::none: return 1.0;
    case config::MuonScale::max_ratio: return std::sqrt(std::max(1.0, r / c));
    case config::MuonScale::rms_adam: return 0.2 * std::sqrt(std::max(r, c));
    case config::MuonScale::ratio: return std::sqrt(r / c);
  }
  throw base::Bug("muon: a scale without a case");
}

at::Tensor block_view(const at::Tensor& flat, const Block& block) {
  return flat.as_strided({block.rows, block.cols}, {block.stride, 1},
                         flat.storage_offset() + block.offset);
}

at::Tensor short_first(const at::Tensor& flat, const Block& block) {
  const at::Tensor view = block_view(flat, block);
  return block.tall() ? view.t() : view;
}

}  // namespace muonlab::optim
