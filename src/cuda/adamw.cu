#include "cuda/grid.cuh"

namespace muonlab::cuda {

template void launch(const AdamW&, const Launch&);

}  // namespace muonlab::cuda
