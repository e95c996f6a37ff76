// Weights in one file and in several.
#include "muonlab/store/weight_files.hpp"

#include <map>

#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"

namespace muonlab::store {
namespace {

class WeightFilesTest : public testing::Test {
 protected:
  WeightFilesTest() {
    for (size_t i = 0; i < 3; ++i) {
      tensors_.push_back(
          {base::str("t", i), "F32", {5}, std::as_bytes(std::span(values_).subspan(i, 5))});
    }
  }
  void write(uint64_t max_bytes) {
    const std::vector<WeightFile> parts = share_out(tensors_, max_bytes);
    for (const WeightFile& part : parts)
      write_safetensors(base::real_file_system(), folder_ / part.name, part.tensors);
    if (parts.size() > 1) base::write_atomically(folder_ / kWeightsIndex, weights_index(parts));
    num_files_ = parts.size();
  }
  // Names and bytes of what is read, in the order of the names.
  std::map<std::string, std::string> read() {
    std::map<std::string, std::string> found;
    each_weight(folder_.path(), [&](const TensorView& view, const std::string&) {
      found[view.name] = {reinterpret_cast<const char*>(view.bytes.data()), view.bytes.size()};
    });
    return found;
  }
  std::string refusal() {
    return base::error_of([&] { read(); });
  }

  const base::TemporaryFolder folder_;
  const std::vector<float> values_{1, 2, 3, 4, 5, 6, 7};
  std::vector<TensorView> tensors_;
  size_t num_files_ = 0;
};

TEST_F(WeightFilesTest, AreReadFromOneFileAndFromSeveral) {
  const std::map<uint64_t, size_t> expected{{1000, 1}, {40, 2}, {39, 3}, {1, 3}};
  for (const auto& [max_bytes, num_files] : expected) {
    for (const std::string& name : base::real_file_system().list(folder_.path()))
      base::remove_tree(folder_ / name);
    write(max_bytes);
    EXPECT_EQ(num_files_, num_files) << max_bytes;
    EXPECT_TRUE(has_weight_files(folder_.path()));
    const auto found = read();
    ASSERT_EQ(found.size(), 3u);
    for (const TensorView& tensor : tensors_) {
      EXPECT_EQ(
          found.at(tensor.name),
          std::string(reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size()));
    }
  }
}

TEST_F(WeightFilesTest, AFolderWithoutThemSaysWhatIsThere) {
  EXPECT_FALSE(has_weight_files(folder_.path()));
  EXPECT_NE(refusal().find("holds neither"), std::string::npos);
  base::write_atomically(folder_ / "pytorch_model.bin", "x");
  EXPECT_NE(refusal().find("safe_serialization"), std::string::npos) << refusal();
}

TEST_F(WeightFilesTest, AnIndexMustAgreeWithItsFiles) {
  write(40);
  const std::string index = base::read_text(folder_ / kWeightsIndex);
  const auto with_index = [&](const std::string& text) {
    base::write_atomically(folder_ / kWeightsIndex, text);
    return refusal();
  };
  EXPECT_NE(with_index("{").find("weight_map"), std::string::npos);
  EXPECT_NE(with_index(R"({"weight_map": {}})").find("weight_map"), std::string::npos);
  EXPECT_NE(with_index(R"({"weight_map": {"t0": "/etc/passwd"}})").find("beside the index"),
            std::string::npos);
  EXPECT_NE(with_index(R"({"weight_map": {"t0": 3}})").find("beside the index"), std::string::npos);
  EXPECT_NE(with_index(R"({"weight_map": {"t0": "model-00001-of-00002.safetensors"}})")
                .find("does not place there"),
            std::string::npos);
  EXPECT_NE(with_index(R"({"weight_map": {"t2": "model-00001-of-00002.safetensors"}})")
                .find("no tensor \"t2\""),
            std::string::npos);
  EXPECT_NE(with_index(R"({"weight_map": {"t0": "other.safetensors"}})").find("is missing"),
            std::string::npos);
  EXPECT_EQ(with_index(index), "");
  write(1000);
  EXPECT_NE(refusal().find("holds both"), std::string::npos);
}

}  // namespace
}  // namespace muonlab::store
