#include "muonlab/tensor/path.hpp"

#include <gtest/gtest.h>

#include "muonlab/base/error.hpp"
#include "muonlab/tensor/runtime.hpp"

namespace muonlab::tensor {
namespace {

using config::Device;
using config::Kernels;

std::string problem(Device device, Kernels kernels) {
  try {
    choose_place(device, kernels);
  } catch (const base::Error& error) {
    return error.what();
  }
  return "";
}

TEST(Path, FollowsTheKernels) {
  for (const Device device : {Device::cpu, Device::automatic}) {
    const Place place = choose_place(device, Kernels::fused);
    EXPECT_EQ(place.path, Path::cpu);
    EXPECT_TRUE(place.device.is_cpu());
    EXPECT_EQ(choose_place(device, Kernels::reference).path, Path::reference);
  }
  EXPECT_TRUE(choose_place(Device::cpu, Kernels::reference).device.is_cpu());
  EXPECT_EQ(path_name(Path::cpu), "cpu");
  EXPECT_EQ(path_name(Path::cuda), "cuda");
  EXPECT_EQ(path_name(Path::reference), "reference");
}

// Never something else in silence.
TEST(Path, CudaIsTheGpuOrAnErrorThatSaysWhy) {
  if (cuda_problem().empty()) {
    const Place place = choose_place(Device::cuda, Kernels::fused);
    EXPECT_EQ(place.path, Path::cuda);
    EXPECT_TRUE(place.device.is_cuda());
    EXPECT_EQ(choose_place(Device::cuda, Kernels::reference).path, Path::reference);
    return;
  }
  for (const Kernels kernels : {Kernels::fused, Kernels::reference})
    EXPECT_NE(problem(Device::cuda, kernels).find(cuda_problem()), std::string::npos);
  EXPECT_TRUE(choose_place(Device::automatic, Kernels::reference).device.is_cpu());
}

}  // namespace
}  // namespace muonlab::tensor
