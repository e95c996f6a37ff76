#include "muonlab/store/safetensors.hpp"

#include <cstring>
#include <filesystem>

#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "muonlab/base/philox.hpp"
#include "store/simulated_disk.hpp"

namespace muonlab::store {
namespace {

template <class T>
TensorView view(std::string name, std::string dtype, std::vector<int64_t> shape,
                const std::vector<T>& values) {
  return {std::move(name), std::move(dtype), std::move(shape), std::as_bytes(std::span(values))};
}

std::string text_of(const TensorView& tensor) {
  return {reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size()};
}

TEST(Safetensors, RoundTripOfTypesShapesAndMetadata) {
  const base::TemporaryFolder folder;
  const std::vector<float> floats{1.5f, -2.0f, 0.0f, 3.25f, 1e-30f, 7.0f};
  const std::vector<double> doubles{1e300};
  const std::vector<uint16_t> halves{1, 2, 3};
  const std::vector<int64_t> longs{-1, 1ll << 60};
  const std::vector<uint8_t> bytes{1, 2, 3};
  const std::vector<int32_t> none;
  const std::vector<TensorView> tensors{
      view("odd bytes", "U8", {3}, bytes),      view("model.embed.weight", "F32", {2, 3}, floats),
      view("scalar", "F64", {}, doubles),       view("bf", "BF16", {3, 1, 1}, halves),
      view("empty", "I32", {0, 4}, none),       view("long", "I64", {2}, longs),
      view("ключ \"q\"\n", "BOOL", {3}, bytes),
  };
  const FileDigest digest = write_safetensors(base::real_file_system(), folder / "a", tensors,
                                              {{"step", "7"}, {"é", "\"\\"}});
  EXPECT_EQ(digest.size, base::real_file_system().size(folder / "a"));
  EXPECT_EQ(digest.size, safetensors_size(tensors, {{"step", "7"}, {"é", "\"\\"}}));
  EXPECT_EQ(digest.hash, base::hash_text(base::read_text(folder / "a")));

  const SafetensorsFile file(folder / "a");
  EXPECT_EQ(file.tensors().size(), tensors.size());
  for (const TensorView& tensor : tensors) {
    const TensorView& read = file.at(tensor.name);
    EXPECT_EQ(read.dtype, tensor.dtype);
    EXPECT_EQ(read.shape, tensor.shape);
    EXPECT_EQ(text_of(read), text_of(tensor));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(read.bytes.data()) % dtype_size(read.dtype), 0u)
        << tensor.name;
  }
  EXPECT_EQ(file.metadata(), (Metadata{{"format", "pt"}, {"step", "7"}, {"é", "\"\\"}}));
}

TEST(Safetensors, DataBeginAlignedAndTheHeaderIsAsDocumented) {
  SimulatedDisk disk;
  const std::vector<float> values{1.0f, 2.0f};
  write_safetensors(disk, "a", {view("w", "F32", {2}, values)});
  const std::string text = base::read_text("a", disk);
  const std::string json =
      R"({"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  EXPECT_EQ(text.size(), 128u + 8u);
  EXPECT_EQ(text.substr(0, 8), std::string("\x78\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(text.substr(8, 120), json + std::string(120 - json.size(), ' '));
}

TEST(Safetensors, ManyPiecesHaveOneHash) {
  const base::TemporaryFolder folder;
  std::vector<float> values(3 << 18);
  base::Philox(1, base::Purpose::test).fill_normal(values, 0, 0.0, 1.0);
  const FileDigest digest =
      write_safetensors(base::real_file_system(), folder / "a",
                        {view("w", "F32", {static_cast<int64_t>(values.size())}, values),
                         view("v", "F32", {3, 1 << 18}, values)});
  EXPECT_EQ(digest.hash, base::hash_text(base::read_text(folder / "a")));
  const SafetensorsFile file(folder / "a");
  EXPECT_EQ(std::memcmp(file.at("v").bytes.data(), values.data(), values.size() * 4), 0);
}

TEST(Safetensors, NothingAtAllIsAFileToo) {
  SimulatedDisk disk;
  write_safetensors(disk, "a", {});
  EXPECT_TRUE(SafetensorsFile("a", disk).tensors().empty());
}

TEST(Safetensors, AMissingTensorIsErrorWithTheNearestName) {
  SimulatedDisk disk;
  const std::vector<float> values{1.0f};
  write_safetensors(disk, "a",
                    {view("model.layers.0.self_attn.q_proj.weight", "F32", {1}, values)});
  const SafetensorsFile file("a", disk);
  EXPECT_EQ(file.find("x"), nullptr);
  EXPECT_EQ(base::error_of([&] { file.at("model.layers.0.self_attn.q_proj.wieght"); }),
            "a: no tensor \"model.layers.0.self_attn.q_proj.wieght\"; the nearest name is "
            "\"model.layers.0.self_attn.q_proj.weight\"");
}

TEST(Safetensors, MovingKeepsViewsValid) {
  SimulatedDisk disk;
  const std::vector<float> values{1.0f, 2.0f};
  write_safetensors(
      disk, "a", {view("w", "F32", {1}, std::vector<float>{3.0f}), view("v", "F32", {2}, values)});
  SafetensorsFile first("a", disk);
  const SafetensorsFile second = std::move(first);
  EXPECT_EQ(second.at("v").bytes.size(), 8u);
}

TEST(Safetensors, WritingNonsenseIsABug) {
  SimulatedDisk disk;
  const std::vector<float> values{1.0f, 2.0f};
  const auto write = [&](std::vector<TensorView> tensors) {
    write_safetensors(disk, "a", tensors);
  };
  EXPECT_THROW(write({view("w", "F32", {3}, values)}), base::Bug);
  EXPECT_THROW(write({view("w", "F31", {2}, values)}), base::Bug);
  EXPECT_THROW(write({view("w", "F32", {-2}, values)}), base::Bug);
  EXPECT_THROW(write({view("w", "F32", {2}, values), view("w", "F32", {2}, values)}), base::Bug);
  EXPECT_THROW(write({view("__metadata__", "F32", {2}, values)}), base::Bug);
  EXPECT_THROW(write({view("\xff", "F32", {2}, values)}), base::Bug);
  EXPECT_FALSE(disk.exists("a"));
}

TEST(Safetensors, TheReferenceWritersFilesAreRead) {
  size_t files = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(MUONLAB_SOURCE_DIR "/tests/golden")) {
    if (entry.path().extension() != ".safetensors") continue;
    const SafetensorsFile file(entry.path().string());
    EXPECT_FALSE(file.tensors().empty()) << entry.path();
    ++files;
  }
  EXPECT_GT(files, 20u);
}

// Random damage of a valid file: read without a fault of memory (the sanitizers watch), refused or
// consistent.
TEST(Safetensors, RandomDamageIsRefusedOrHarmless) {
  SimulatedDisk disk;
  const std::vector<float> values(16, 1.0f);
  write_safetensors(
      disk, "a",
      {view("w", "F32", {4, 4}, values), view("scalar", "F32", {}, std::vector<float>{2.0f})},
      {{"key", "value"}});
  const std::string whole = base::read_text("a", disk);
  const std::string alphabet = "{}[]\",:0123456789-.eE \\u\x80\xff" + std::string(1, '\0');
  size_t refused = 0;
  constexpr uint64_t kTrials = 20000;
  for (uint64_t trial = 0; trial < kTrials; ++trial) {
    const base::Philox random(trial, base::Purpose::test);
    std::string& data = disk.contents("a");
    data = whole;
    const uint64_t changes = 1 + random.below(0, 3);
    for (uint64_t i = 0; i < changes; ++i) {
      const size_t at = random.below(4 * i + 1, data.size());
      const char c = alphabet[random.below(4 * i + 2, alphabet.size())];
      switch (random.below(4 * i + 3, 4)) {
        case 0: data[at] = c; break;
        case 1: data.insert(at, 1, c); break;
        case 2: data.erase(at, 1 + random.below(4 * i + 4, 4)); break;
        default: data[at] = static_cast<char>(data[at] ^ 1 << random.below(4 * i + 4, 8)); break;
      }
      if (data.empty()) data = "x";
    }
    try {
      const SafetensorsFile file("a", disk);
      uint64_t covered = 0;
      for (const TensorView& tensor : file.tensors()) covered += text_of(tensor).size();
      EXPECT_LE(covered + 8, data.size());
    } catch (const base::Error& error) {
      EXPECT_EQ(std::string_view(error.what()).substr(0, 3), "a: ");
      EXPECT_NE(std::string_view(error.what()).find("byte"), std::string_view::npos)
          << error.what();
      ++refused;
    }
  }
  EXPECT_GT(refused, kTrials / 2);
  EXPECT_LT(refused, kTrials);  // changes of values or names are not the format's business
}

}  // namespace
}  // namespace muonlab::store
