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
  EXPECT_EQ(path_name(Path::reference), "reference");
}

// Never something else in silence.
TEST(Path, FusedKernelsOnCudaAreAnErrorThatSaysWhy) {
  const std::string text = problem(Device::cuda, Kernels::fused);
  EXPECT_NE(text.find("the fused kernels have no CUDA versions yet"), std::string::npos) << text;
  EXPECT_NE(text.find("\"kernels\": \"reference\""), std::string::npos) << text;
}

TEST(Path, CudaWithoutAGpuIsAnErrorWithTheReason) {
  if (cuda_problem().empty()) GTEST_SKIP() << "this machine has a GPU that the build can use";
  EXPECT_NE(problem(Device::cuda, Kernels::reference).find(cuda_problem()), std::string::npos);
  EXPECT_TRUE(choose_place(Device::automatic, Kernels::reference).device.is_cpu());
}

}  // namespace
}  // namespace muonlab::tensor
