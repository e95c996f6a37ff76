#include "muonlab/store/finite.hpp"

#include <cmath>
#include <cstring>
#include <limits>

#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "muonlab/base/non_finite.hpp"
#include "muonlab/store/retention.hpp"
#include "store/simulated_disk.hpp"
#include "store/small_checkpoint.hpp"

namespace muonlab::store {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

template <class T>
TensorView view(const char* dtype, const std::vector<T>& values) {
  return {"w", dtype, {static_cast<int64_t>(values.size())}, std::as_bytes(std::span(values))};
}

TEST(Finite, FindsOneValueAtAnyPlaceOfAnyLength) {
  for (const size_t length : {1u, 2u, 63u, 64u, 65u, 129u, 300u}) {
    std::vector<float> values(length, std::numeric_limits<float>::max());
    values[0] = -std::numeric_limits<float>::denorm_min();
    EXPECT_TRUE(all_finite(view("F32", values)));
    for (size_t i = 0; i < length; ++i) {
      for (const float bad : {kNan, -kNan, kInfinity, -kInfinity}) {
        const float kept = std::exchange(values[i], bad);
        EXPECT_FALSE(all_finite(view("F32", values))) << i << " of " << length;
        values[i] = kept;
      }
    }
  }
}

TEST(Finite, KnowsEveryTypeOfNumber) {
  EXPECT_TRUE(all_finite(view("F64", std::vector<double>{1.0, 1e308})));
  EXPECT_FALSE(all_finite(view("F64", std::vector<double>{1.0, std::nan("")})));
  EXPECT_TRUE(all_finite(view("BF16", std::vector<uint16_t>{0x3F80, 0x7F7F, 0xFF7F})));
  EXPECT_FALSE(all_finite(view("BF16", std::vector<uint16_t>{0x3F80, 0x7F80})));
  EXPECT_TRUE(all_finite(view("F16", std::vector<uint16_t>{0x3C00, 0x7BFF})));
  EXPECT_FALSE(all_finite(view("F16", std::vector<uint16_t>{0x3C00, 0xFC01})));
  EXPECT_TRUE(all_finite(view("I32", std::vector<int32_t>{-1, 0x7F800000})));
  EXPECT_TRUE(all_finite(view("F32", std::vector<float>{})));
}

TEST(Finite, UnalignedBytesAreRead) {
  std::vector<std::byte> bytes(4 * 70 + 1);
  std::memcpy(bytes.data() + 1 + 4 * 69, &kNan, sizeof kNan);
  EXPECT_FALSE(all_finite({"w", "F32", {70}, std::span(bytes).subspan(1)}));
}

// A checkpoint as an earlier version saved it: whole, its hashes right, its values not finite.
void save_diverged(base::FileSystem& files, int64_t step, const char* where) {
  std::vector<float> good(24, 0.5f), bad = good;
  bad.back() = kNan;
  const auto values = [&](const char* name) {
    return view("F32", name == std::string(where) ? bad : good);
  };
  CheckpointWriter writer(files, kFolder, step);
  writer.add_safetensors("model.safetensors", {values("model")});
  writer.add_safetensors("optimizer.safetensors", {values("optimizer")});
  writer.commit();
}

TEST(Finite, ACheckpointThatHoldsNanIsNotGood) {
  for (const char* where : {"model", "optimizer"}) {
    SimulatedDisk disk;
    save_small(disk, kFolder, 1);
    save_diverged(disk, 2, where);
    const std::string fault = std::string(where) + ".safetensors holds values that are not finite";
    EXPECT_EQ(verify_checkpoint(path_of(2), disk), fault + ", first in w");
    EXPECT_THROW(Checkpoint(path_of(2), disk), base::NonFinite);
    std::string warned;
    EXPECT_EQ(newest_good(
                  kFolder, [&](const auto& text) { warned += text; }, disk)
                  ->step,
              1);
    EXPECT_NE(warned.find(fault), std::string::npos) << warned;
    EXPECT_NE(warned.find("using step-00000001 instead"), std::string::npos) << warned;
  }
}

TEST(Finite, WithoutAGoodOneTheRunHasDiverged) {
  SimulatedDisk disk;
  save_diverged(disk, 2, "model");
  EXPECT_THROW(newest_good(kFolder, {}, disk), base::NonFinite);
}

TEST(Finite, RetentionKeepsTheGoodOneBehindThoseThatAreNot) {
  SimulatedDisk disk;
  save_small(disk, kFolder, 1);
  save_diverged(disk, 2, "model");
  save_diverged(disk, 3, "optimizer");
  EXPECT_TRUE(prune(kFolder, 1, 0, {}, disk).empty());
  save_small(disk, kFolder, 4);
  EXPECT_EQ(prune(kFolder, 1, 0, {}, disk), (std::vector<int64_t>{1, 2, 3}));
}

}  // namespace
}  // namespace muonlab::store
