// The GGUF writer: its numbers by an independent rule, its bytes by the format's own description.
#include "muonlab/store/gguf.hpp"

#include <cmath>
#include <cstring>
#include <limits>

#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "muonlab/base/philox.hpp"

namespace muonlab::store {
namespace {

template <class T>
T read(const std::string& bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

uint16_t half_of(float value) {
  const auto bytes = gguf_encode(&value, 1, GgufType::f16);
  return read<uint16_t>({reinterpret_cast<const char*>(bytes.data()), 2}, 0);
}

double value_of_half(uint16_t bits) {
  const int exponent = bits >> 10 & 31;
  const double fraction = (bits & 1023) / 1024.0;
  const double size =
      exponent == 0 ? std::ldexp(fraction, -14) : std::ldexp(1 + fraction, exponent - 15);
  return bits & 0x8000 ? -size : size;
}

TEST(Gguf, HalvesAreTheNearestOnes) {
  // Every half is itself, and what lies between two goes to the nearer, or to the even one.
  for (uint32_t bits = 0; bits < 0x7C00; ++bits) {
    const double here = value_of_half(static_cast<uint16_t>(bits));
    ASSERT_EQ(half_of(static_cast<float>(here)), bits);
    if (bits == 0x7BFF) break;
    const double next = value_of_half(static_cast<uint16_t>(bits + 1));
    const auto middle = static_cast<float>((here + next) / 2);
    ASSERT_EQ(half_of(middle), bits % 2 == 0 ? bits : bits + 1);
    ASSERT_EQ(half_of(std::nextafter(middle, 1e9f)), bits + 1);
    ASSERT_EQ(half_of(std::nextafter(middle, -1e9f)), bits);
    ASSERT_EQ(half_of(-middle), 0x8000u + (bits % 2 == 0 ? bits : bits + 1));
  }
  EXPECT_EQ(half_of(65519.0f), 0x7BFF);
  EXPECT_EQ(half_of(65520.0f), 0x7C00);
  EXPECT_EQ(half_of(1e-9f), 0);
  EXPECT_EQ(half_of(std::numeric_limits<float>::infinity()), 0x7C00);
}

TEST(Gguf, BlocksOfEightBitsAreWithinHalfAStepOfTheNumbers) {
  const base::Philox random(1, base::Purpose::test, "blocks");
  std::vector<float> values(4 * kGgufBlock);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(random.normal(i));
  std::fill_n(values.begin() + kGgufBlock, kGgufBlock, 0.0f);
  const auto bytes = gguf_encode(values.data(), std::ssize(values), GgufType::q8_0);
  ASSERT_EQ(bytes.size(), 4u * 34);
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  for (size_t block = 0; block < 4; ++block) {
    const double scale = value_of_half(read<uint16_t>(text, block * 34));
    for (size_t i = 0; i < kGgufBlock; ++i) {
      const double back = scale * static_cast<int8_t>(text[block * 34 + 2 + i]);
      // Half a step, and the scale's own rounding over at most 127 steps.
      EXPECT_NEAR(back, values[block * kGgufBlock + i], scale * (0.5 + 127.0 / 2048));
    }
  }
}

TEST(Gguf, TheFileIsAsTheFormatSays) {
  const base::TemporaryFolder folder;
  const std::vector<float> matrix{1, 2, 3, 4, 5, 6}, vector{7, 8, 9};
  write_gguf(base::real_file_system(), folder / "a.gguf",
             {{"k", std::string("v")}, {"list", std::vector<std::string>{"x", ""}}, {"b", true}},
             {{"m", {2, 3}, matrix.data(), GgufType::bf16}, {"v", {3}, vector.data()}});
  const std::string file = base::read_text(folder / "a.gguf");
  EXPECT_EQ(file.substr(0, 4), "GGUF");
  EXPECT_EQ(read<uint32_t>(file, 4), 3u);
  EXPECT_EQ(read<uint64_t>(file, 8), 2u);   // tensors
  EXPECT_EQ(read<uint64_t>(file, 16), 3u);  // pairs
  EXPECT_EQ(read<uint64_t>(file, 24), 1u);
  EXPECT_EQ(file[32], 'k');
  EXPECT_EQ(read<uint32_t>(file, 33), 8u);  // a string
  const size_t tensor = file.find(std::string("\1\0\0\0\0\0\0\0m", 9));
  ASSERT_NE(tensor, std::string::npos);
  EXPECT_EQ(read<uint32_t>(file, tensor + 9), 2u);
  EXPECT_EQ(read<uint64_t>(file, tensor + 13), 3u);  // the fastest dimension first
  EXPECT_EQ(read<uint64_t>(file, tensor + 21), 2u);
  EXPECT_EQ(read<uint32_t>(file, tensor + 29), 30u);
  EXPECT_EQ(read<uint64_t>(file, tensor + 33), 0u);
  const size_t data = file.size() - 64;  // 12 bytes and 12 bytes, each padded to 32
  EXPECT_EQ(data % 32, 0u);
  EXPECT_EQ(read<uint16_t>(file, data + 2), 0x4000);  // 2 in bf16
  EXPECT_EQ(read<float>(file, data + 32 + 8), 9.0f);
  EXPECT_THROW(write_gguf(base::real_file_system(), folder / "a.gguf", {}, {}), base::IoError);
}

}  // namespace
}  // namespace muonlab::store
