#include "store/scan.hpp"

#include <cmath>
#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "muonlab/store/safetensors.hpp"

namespace muonlab::store {
namespace {

constexpr size_t kPiece = size_t{1} << 20;  // of the scan, in bytes

class ScanTest : public ::testing::Test {
 protected:
  Scan scan(const std::string& text, bool has_tensors = true) {
    base::write_atomically(folder_ / "file", text);
    const Scan found = scan_file(folder_ / "file", has_tensors, base::real_file_system());
    EXPECT_EQ(found.hash, base::hash_text(text));
    return found;
  }
  // A safetensors file with this header, and data of so many floats of which one may be NaN.
  static std::string file(const std::string& header, size_t floats, size_t nan = SIZE_MAX) {
    const uint64_t length = header.size();
    std::vector<float> data(floats, 1.5f);
    if (nan < floats) data[nan] = std::nanf("");
    std::string text(reinterpret_cast<const char*>(&length), sizeof length);
    text += header;
    return text.append(reinterpret_cast<const char*>(data.data()), floats * sizeof(float));
  }
  base::TemporaryFolder folder_;
};

std::string tensor(const std::string& name, size_t begin, size_t end) {
  return base::str("\"", name, "\":{\"dtype\":\"F32\",\"shape\":[", (end - begin) / 4,
                   "],\"data_offsets\":[", begin, ",", end, "]}");
}

TEST_F(ScanTest, FindsAValueAtAnyPlaceOfTensorsLargerThanAPiece) {
  const size_t floats = 2 * kPiece / 4 + 3, half = kPiece / 4 + 1;
  for (const char* padding : {"", " "}) {  // the data need not begin at a multiple of four
    // The header's order is not that of the data.
    const std::string header = "{" + tensor("b", 4 * half, 4 * floats) + "," +
                               tensor("a", 0, 4 * half) + "," + tensor("empty", 0, 0) + "}" +
                               padding;
    EXPECT_EQ(scan(file(header, floats)).non_finite, "");
    for (const size_t at : {size_t{0}, kPiece / 4 - 1, kPiece / 4, half - 1})
      EXPECT_EQ(scan(file(header, floats, at)).non_finite, "a") << at;
    for (const size_t at : {half, half + kPiece / 4, floats - 1})
      EXPECT_EQ(scan(file(header, floats, at)).non_finite, "b") << at;
    EXPECT_EQ(scan(file(header, floats)).fault, "");
  }
}

TEST_F(ScanTest, HashesWhatIsNoSafetensorsFileToo) {
  EXPECT_EQ(scan("", false).fault, "");
  EXPECT_EQ(scan(std::string(3 * kPiece + 5, 'x'), false).fault, "");
  for (const std::string& text :
       {std::string(), std::string("short"), std::string(100, '\xff'), file("{", 4),
        file("{" + tensor("a", 0, 64) + "}", 4),
        file("{" + tensor("a", 0, 12) + "," + tensor("b", 8, 16) + "}", 4)}) {
    const Scan found = scan(text);
    EXPECT_NE(found.fault, "") << text;
    EXPECT_EQ(found.non_finite, "");
  }
}

}  // namespace
}  // namespace muonlab::store
