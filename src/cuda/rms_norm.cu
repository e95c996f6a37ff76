#include "cuda/grid.cuh"

namespace muonlab::cuda {

template void launch(const ColumnSums&, const Launch&);
template void launch(const RmsNormForward<float, float>&, const Launch&);
template void launch(const RmsNormForward<float, Bf16>&, const Launch&);
template void launch(const RmsNormForward<Bf16, float>&, const Launch&);
template void launch(const RmsNormForward<Bf16, Bf16>&, const Launch&);
template void launch(const RmsNormBackward<float, float>&, const Launch&);
template void launch(const RmsNormBackward<float, Bf16>&, const Launch&);
template void launch(const RmsNormBackward<Bf16, float>&, const Launch&);
template void launch(const RmsNormBackward<Bf16, Bf16>&, const Launch&);

}  // namespace muonlab::cuda
