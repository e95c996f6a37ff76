#include "cuda/grid.cuh"

namespace muonlab::cuda {

template void launch(const MuonMomentum&, const Launch&);
template void launch(const MuonDirection<float>&, const Launch&);
template void launch(const MuonDirection<Bf16>&, const Launch&);
template void launch(const MuonApply<float>&, const Launch&);
template void launch(const MuonApply<Bf16>&, const Launch&);

}  // namespace muonlab::cuda
