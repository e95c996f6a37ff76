#include "cuda/grid.cuh"

namespace muonlab::cuda {

template void launch(const SwiGluForward<float>&, const Launch&);
template void launch(const SwiGluForward<Bf16>&, const Launch&);
template void launch(const SwiGluBackward<float>&, const Launch&);
template void launch(const SwiGluBackward<Bf16>&, const Launch&);

}  // namespace muonlab::cuda
