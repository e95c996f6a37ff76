#include "cuda/grid.cuh"

namespace muonlab::cuda {

template void launch(const ActivationForward<float>&, const Launch&);
template void launch(const ActivationForward<Bf16>&, const Launch&);
template void launch(const ActivationBackward<float>&, const Launch&);
template void launch(const ActivationBackward<Bf16>&, const Launch&);

}  // namespace muonlab::cuda
