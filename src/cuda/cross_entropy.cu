#include "cuda/grid.cuh"

namespace muonlab::cuda {

template void launch(const CrossEntropy<float>&, const Launch&);
template void launch(const CrossEntropy<Bf16>&, const Launch&);

}  // namespace muonlab::cuda
