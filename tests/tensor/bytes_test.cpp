#include "muonlab/tensor/bytes.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/tensor/runtime.hpp"

namespace muonlab::tensor {
namespace {

class BytesTest : public ::testing::Test {
 protected:
  store::SafetensorsFile written(const std::vector<NamedTensor>& tensors) {
    store::write_safetensors(base::real_file_system(), path_, store_views(tensors));
    return store::SafetensorsFile(path_);
  }
  std::string message(const store::SafetensorsFile& file, const std::vector<NamedTensor>& targets) {
    try {
      load_exactly(file, targets);
    } catch (const base::Error& error) {
      return error.what();
    }
    return "no error";
  }
  const base::TemporaryFolder folder_;
  const std::string path_ = folder_ / "tensors.safetensors";
};

TEST_F(BytesTest, EveryDtypeComesBackBitForBit) {
  std::vector<NamedTensor> tensors;
  for (at::ScalarType type :
       {at::kFloat, at::kDouble, at::kBFloat16, at::kLong, at::kInt, at::kByte}) {
    tensors.push_back({at::toString(type), at::arange(1, 13).view({3, 4}).to(type)});
  }
  const store::SafetensorsFile file = written(tensors);
  for (const NamedTensor& tensor : tensors) {
    EXPECT_TRUE(at::equal(to_tensor(file.at(tensor.name)), tensor.value)) << tensor.name;
    EXPECT_EQ(to_tensor(file.at(tensor.name)).scalar_type(), tensor.value.scalar_type());
  }
}

TEST_F(BytesTest, LoadingNamesWhatDoesNotFit) {
  const store::SafetensorsFile file = written({{"w", at::ones({2, 3})}, {"x", at::ones({4})}});
  const at::Tensor w = at::zeros({2, 3});
  EXPECT_NE(message(file, {{"w", w}}).find("\"x\" belongs to no parameter"), std::string::npos);
  EXPECT_NE(message(file, {{"w", w}, {"y", w}}).find("holds no tensor \"y\""), std::string::npos);
  EXPECT_NE(message(file, {{"w", at::zeros({3, 2})}}).find("is F32 [2, 3], expected F32 [3, 2]"),
            std::string::npos);
  EXPECT_EQ(message(file, {{"w", w}, {"x", at::zeros({4})}}), "no error");
  EXPECT_TRUE(at::equal(w, at::ones({2, 3})));
}

TEST(Runtime, ExactlyOneOpenMpRuntimeIsLoaded) {
  const LibtorchInfo info = libtorch_info();
  EXPECT_EQ(info.num_openmp, 1);
  EXPECT_NE(info.path.find("libtorch_cpu"), std::string::npos);
}

}  // namespace
}  // namespace muonlab::tensor
