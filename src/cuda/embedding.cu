#include "cuda/grid.cuh"

namespace muonlab::cuda {

template void launch(const EmbeddingForward&, const Launch&);
template void launch(const EmbeddingRuns&, const Launch&);
template void launch(const EmbeddingJoin&, const Launch&);

}  // namespace muonlab::cuda
