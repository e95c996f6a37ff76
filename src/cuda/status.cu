#include "cuda/grid.cuh"

namespace muonlab::cuda {

template void launch(const SquareSums&, const Launch&);
template void launch(const CloseStatus&, const Launch&);
template void launch(const ClipGradients&, const Launch&);

}  // namespace muonlab::cuda
