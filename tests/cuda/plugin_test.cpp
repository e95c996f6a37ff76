// Loading the plugin: what a person is told when it cannot be used.
#include <filesystem>
#include <fstream>
#include <string>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/tensor/path.hpp"
#include "muonlab/tensor/plugin.hpp"
#include "muonlab/tensor/runtime.hpp"

namespace muonlab::tensor {
namespace {

TEST(CudaPlugin, IsLookedForBesideTheProgramAndInLib) {
  const auto paths = plugin::candidates();
  ASSERT_EQ(paths.size(), 2u);
  const std::filesystem::path folder =
      std::filesystem::read_symlink("/proc/self/exe").parent_path();
  EXPECT_EQ(paths[0], folder / "libmuonlab_cuda.so");
  EXPECT_EQ(paths[1], folder.parent_path() / "lib/libmuonlab_cuda.so");
}

TEST(CudaPlugin, ABadFileIsReportedInTheLoadersWords) {
  EXPECT_NE(plugin::load_file("/nowhere/libmuonlab_cuda.so").find("cannot open shared object file"),
            std::string::npos);
  const base::TemporaryFolder folder;
  const std::string path = folder / "libmuonlab_cuda.so";
  std::ofstream(path) << "not a library, but long enough to hold an ELF header: "
                      << std::string(100, 'x');
  EXPECT_NE(plugin::load_file(path).find("invalid ELF header"), std::string::npos);
}

TEST(CudaPlugin, AnotherLibraryIsNotTakenForIt) {
  EXPECT_NE(plugin::load_file("libm.so.6").find("is no CUDA plugin"), std::string::npos);
}

TEST(CudaPlugin, TensorsOnTheProcessorHaveNoKernels) {
  EXPECT_FALSE(plugin::has_kernels(at::zeros({2, 4})));
}

// Without a GPU the reason must be good enough to act on, and asking for cuda must give it.
TEST(CudaPlugin, TheReasonReachesWhoeverAsksForCuda) {
  const std::string problem = cuda_problem();
  if (problem.empty()) {
    EXPECT_TRUE(choose_place(config::Device::cuda, config::Kernels::reference).device.is_cuda());
    EXPECT_TRUE(plugin::has_kernels(at::zeros({2, 4}, at::kCUDA)));
    return;
  }
  EXPECT_TRUE(choose_place(config::Device::automatic, config::Kernels::reference).device.is_cpu());
  try {
    choose_place(config::Device::cuda, config::Kernels::reference);
    FAIL() << "cuda without a GPU";
  } catch (const base::Error& error) {
    EXPECT_NE(std::string(error.what()).find(problem), std::string::npos) << error.what();
  }
  EXPECT_EQ(plugin::compute_capability(), 0);
}

}  // namespace
}  // namespace muonlab::tensor
