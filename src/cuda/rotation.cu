#include "cuda/grid.cuh"

namespace muonlab::cuda {

template void launch(const RotateForward<float>&, const Launch&);
template void launch(const RotateForward<Bf16>&, const Launch&);
template void launch(const RotateBackward<float>&, const Launch&);
template void launch(const RotateBackward<Bf16>&, const Launch&);

}  // namespace muonlab::cuda
