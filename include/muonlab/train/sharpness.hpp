// How much the loss curves along an update: the second-order expansion of one step, by exact
// Hessian-vector products (arXiv 2606.04662, Section 3).
//
// With gradient G and Hessian H at weights W, an update W - Z changes the loss by about -I1 + I2,
// where I1 = <G, Z> and I2 = <Z, H Z> / 2. The normalized directional sharpness <Z, H Z> / |Z|²
// does not depend on the size of Z.
#pragma once

#include <limits>
#include <map>
#include <string>
#include <vector>

#include "muonlab/model/model.hpp"
#include "muonlab/tensor/parameter.hpp"
#include "muonlab/train/batch.hpp"

namespace muonlab::train {

// Parameters of one layer, or a single parameter outside the layers.
struct BlockSharpness {
  std::string name;  // "layer 3", "embed"
  int layer = -1;
  double norm = 0;    // |Z_l|
  double within = 0;  // <Z_l, H_ll Z_l>
};

struct Sharpness {
  double loss = 0;                                             // at W
  double realised = std::numeric_limits<double>::quiet_NaN();  // loss at W - loss at W - Z
  double gradient = 0;                                         // I1
  double curvature = 0;                                        // I2
  double norm = 0;                                             // |Z|
  std::vector<BlockSharpness> blocks;

  double nds() const { return 2 * curvature / (norm * norm); }
  // The part of nds() from second derivatives within a block, and from those across blocks.
  double within() const;
  double across() const { return nds() - within(); }
};

// An update by the index of its parameter in the arena; each in the parameter's shape.
using Update = std::map<size_t, at::Tensor>;

// Along the update Z at the arena's weights, of the mean loss over the batches, each of which
// counts the same. Leaves the arena as it is. REQUIRES: `reference` is a model on the reference
// path over the arena, with a compute dtype that is the arena's, and Z is not empty.
Sharpness sharpness(model::Model& reference, tensor::Arena& arena,
                    const std::vector<Batch>& batches, const Update& update);

// Along what a step has just done to the parameters that `params` selects (in the words of assign):
// `before` holds the arena's values before it, flat. Weights and gradients are left as they are.
Sharpness sharpness_of_step(const config::ModelConfig& model, tensor::Arena& arena,
                            const at::Tensor& before, const std::vector<Batch>& batches,
                            const std::vector<std::string>& params);

// Lines of sharpness.jsonl (docs/formats.md): the whole update, then a line a block.
std::vector<std::string> sharpness_lines(const Sharpness& sharpness, int64_t step);

}  // namespace muonlab::train
