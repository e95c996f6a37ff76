// Handmade files that no reader may take, each with the reason it must be given.
#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "muonlab/store/safetensors.hpp"
#include "store/simulated_disk.hpp"

namespace muonlab::store {
namespace {

std::string prefix(uint64_t length) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(length >> (8 * i) & 0xFF);
  return bytes;
}

std::string refusal(const std::string& bytes) {
  SimulatedDisk disk;
  disk.create("f")->write_text(bytes);
  return base::error_of([&] { SafetensorsFile file("f", disk); });
}

std::string with_header(const std::string& json, size_t data) {
  return prefix(json.size()) + json + std::string(data, 'd');
}

// A header of one tensor, from its entry.
std::string one(const std::string& entry, size_t data = 8) {
  return with_header("{\"w\":" + entry + "}", data);
}

struct Case {
  const char* what;
  std::string bytes;
  const char* reason;
};

std::vector<Case> cases() {
  const std::string good = R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
  const std::string deep(100'000, '[');
  std::string extents = "1";
  for (int i = 0; i < 64; ++i) extents += ",1";
  return {
      {"empty file", "", "0 bytes are too few"},
      {"seven bytes", "1234567", "7 bytes are too few"},
      {"no header", prefix(0), "does not start with {"},
      {"length beyond the file", prefix(100) + "{}",
       "the header is said to have 100 bytes, the file has 10"},
      {"length of all ones", std::string(8, '\xff') + "{}",
       "said to have 18446744073709551615 bytes"},
      {"length above the limit", prefix(100'000'001) + std::string(200, ' '),
       "the format allows 100000000"},
      {"array for a header", with_header("[]", 0), "does not start with {"},
      {"space before the header", with_header(" {}", 0), "does not start with {"},
      {"byte-order mark", with_header("\xEF\xBB\xBF{}", 0), "does not start with {"},
      {"cut JSON", with_header("{\"w\":", 0), "not valid JSON"},
      {"text behind the JSON", with_header("{}x", 0), "not valid JSON"},
      {"two headers", with_header("{}{}", 0), "not valid JSON"},
      {"NUL padding", with_header("{}" + std::string(6, '\0'), 0),
       "a NUL byte in the header (byte 10)"},
      {"NUL and more behind it", with_header(std::string("{}\0{\"w\":1}", 11), 0),
       "a NUL byte in the header"},
      {"comment", with_header("{/* */}", 0), "not valid JSON"},
      {"trailing comma", one(good.substr(0, good.size() - 1) + ",}"), "not valid JSON"},
      {"bad UTF-8 in a name", with_header("{\"\xff\":" + good + "}", 8), "not valid JSON in UTF-8"},
      {"overlong UTF-8", with_header("{\"\xc0\x80\":" + good + "}", 8), "not valid JSON in UTF-8"},
      {"lone surrogate", with_header("{\"\\ud800\":" + good + "}", 8), "not valid JSON"},
      {"raw control character", with_header("{\"a\nb\":" + good + "}", 8), "not valid JSON"},
      {"deep nesting", with_header("{\"w\":" + deep, 0), "an array where none belongs"},
      {"deep objects", with_header("{\"w\":{\"shape\":{", 0), "an object where none belongs"},
      {"nested shape", one(R"({"dtype":"F32","shape":[[2]],"data_offsets":[0,8]})"),
       "an array where none belongs"},
      {"tensor is a number", one("3"), "a number where none belongs"},
      {"tensor is a string", one("\"x\""), "a string where none belongs"},
      {"tensor is null", one("null"), "null where a value belongs"},
      {"tensor is an array", one("[1]"), "an array where none belongs"},
      {"tensor is true", one("true"), "true or false where none belongs"},
      {"no dtype", one(R"({"shape":[2],"data_offsets":[0,8]})"), "the field dtype is missing"},
      {"no shape", one(R"({"dtype":"F32","data_offsets":[0,8]})"), "the field shape is missing"},
      {"no offsets", one(R"({"dtype":"F32","shape":[2]})"), "the field data_offsets is missing"},
      {"empty entry", one("{}"), "the field dtype is missing"},
      {"unknown field", one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1})"),
       "no such field"},
      {"dtype twice", one(R"({"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]})"),
       "appears twice"},
      {"shape twice", one(R"({"dtype":"F32","shape":[2],"shape":[2],"data_offsets":[0,8]})"),
       "appears twice"},
      {"name twice", with_header("{\"w\":" + good + ",\"w\":" + good + "}", 8),
       "the name appears twice"},
      {"name twice, escaped", with_header("{\"w\":" + good + ",\"\\u0077\":" + good + "}", 8),
       "the name appears twice"},
      {"unknown dtype", one(R"({"dtype":"F31","shape":[2],"data_offsets":[0,8]})"),
       "unknown type \"F31\""},
      {"dtype in small letters", one(R"({"dtype":"f32","shape":[2],"data_offsets":[0,8]})"),
       "unknown type"},
      {"dtype is a number", one(R"({"dtype":32,"shape":[2],"data_offsets":[0,8]})"),
       "a number where none belongs"},
      {"dtype is an array", one(R"({"dtype":["F32"],"shape":[2],"data_offsets":[0,8]})"),
       "an array where none"},
      {"negative extent", one(R"({"dtype":"F32","shape":[-2],"data_offsets":[0,8]})"),
       "a negative number"},
      {"fractional extent", one(R"({"dtype":"F32","shape":[2.0],"data_offsets":[0,8]})"),
       "not a whole number"},
      {"exponent extent", one(R"({"dtype":"F32","shape":[2e0],"data_offsets":[0,8]})"),
       "not a whole number"},
      {"string extent", one(R"({"dtype":"F32","shape":["2"],"data_offsets":[0,8]})"),
       "a string where none belongs"},
      {"null extent", one(R"({"dtype":"F32","shape":[null],"data_offsets":[0,8]})"),
       "null where a value belongs"},
      {"extent of 2^63",
       one(R"({"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,8]})"), "too large"},
      {"extent of 2^64",
       one(R"({"dtype":"F32","shape":[18446744073709551616],"data_offsets":[0,8]})"), "below 2^64"},
      {"product wraps to 8 bytes",
       one(R"({"dtype":"U8","shape":[4294967296,4294967296,8],"data_offsets":[0,8]})"),
       "does not fit into 64 bits"},
      {"product wraps beside a zero",
       one(R"({"dtype":"F64","shape":[4611686018427387904,8,0],"data_offsets":[0,0]})", 0),
       "does not fit into 64 bits"},
      {"65 dimensions",
       one("{\"dtype\":\"F64\",\"shape\":[" + extents + "],\"data_offsets\":[0,8]}"),
       "64 dimensions"},
      {"shape is a number", one(R"({"dtype":"F32","shape":2,"data_offsets":[0,8]})"),
       "a number where none belongs"},
      {"one offset", one(R"({"dtype":"F32","shape":[2],"data_offsets":[8]})"),
       "expected two numbers"},
      {"three offsets", one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8,8]})"),
       "expected two numbers"},
      {"no offset", one(R"({"dtype":"F32","shape":[2],"data_offsets":[]})"),
       "expected two numbers"},
      {"negative offset", one(R"({"dtype":"F32","shape":[2],"data_offsets":[-8,0]})"),
       "a negative number"},
      {"begin behind end", one(R"({"dtype":"F32","shape":[2],"data_offsets":[8,0]})"),
       "begin 8 is behind end 0"},
      {"range too short", one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,4]})"),
       "holds 4 bytes, but shape and dtype ask for 8"},
      {"range too long", one(R"({"dtype":"F32","shape":[1],"data_offsets":[0,8]})"), "ask for 4"},
      {"range beyond the file", one(R"({"dtype":"F32","shape":[3],"data_offsets":[0,12]})"),
       "the file holds 8 bytes of data"},
      {"huge range",
       one(R"({"dtype":"U8","shape":[9223372036854775807],"data_offsets":[0,9223372036854775807]})"),
       "the file holds 8 bytes of data"},
      {"hole at the start", one(R"({"dtype":"F32","shape":[1],"data_offsets":[4,8]})"),
       "bytes 0 to 4 belong to no tensor"},
      {"bytes at the end", one(good, 9), "1 bytes behind the last tensor"},
      {"data without tensors", with_header("{}", 4), "4 bytes behind the last tensor"},
      {"overlap",
       with_header("{\"a\":" + good + R"(,"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
                   12),
       "begins at 4, inside the tensor before it"},
      {"the same bytes twice", with_header("{\"a\":" + good + ",\"b\":" + good + "}", 8),
       "inside the tensor before it"},
      {"hole between",
       with_header("{\"a\":" + good + R"(,"b":{"dtype":"F32","shape":[1],"data_offsets":[12,16]}})",
                   16),
       "bytes 8 to 12 belong to no tensor"},
      {"metadata is a list", with_header(R"({"__metadata__":[]})", 0),
       "an array where none belongs"},
      {"metadata is null", with_header(R"({"__metadata__":null})", 0),
       "null where a value belongs"},
      {"metadata with a number", with_header(R"({"__metadata__":{"a":1}})", 0),
       "a number where none belongs"},
      {"metadata with an object", with_header(R"({"__metadata__":{"a":{}}})", 0),
       "an object where none belongs"},
      {"metadata key twice", with_header(R"({"__metadata__":{"a":"1","a":"2"}})", 0),
       "the key appears twice"},
      {"metadata twice", with_header(R"({"__metadata__":{},"__metadata__":{}})", 0),
       "the name appears twice"},
  };
}

TEST(SafetensorsInvalid, EveryHandmadeFileIsRefusedWithItsReason) {
  size_t count = 0;
  for (const Case& bad : cases()) {
    const std::string message = refusal(bad.bytes);
    EXPECT_NE(message.find(bad.reason), std::string::npos) << bad.what << ": \"" << message << '"';
    EXPECT_EQ(message.find("f: "), 0u) << bad.what;
    EXPECT_NE(message.find("byte "), std::string::npos) << bad.what;
    EXPECT_LT(message.size(), 400u) << bad.what;
    ++count;
  }
  EXPECT_GE(count, 70u);
}

TEST(SafetensorsInvalid, TheMessageNamesTensorFieldAndByte) {
  EXPECT_EQ(refusal(one(R"({"dtype":"F32","shape":[-2],"data_offsets":[0,8]})")),
            "f: tensor \"w\": shape: a negative number (byte 40); the file is damaged or no "
            "safetensors file");
  EXPECT_EQ(refusal(one(R"({"dtype":"F32","shape":[1],"data_offsets":[4,8]})")),
            "f: tensor \"w\": data_offsets: bytes 0 to 4 belong to no tensor (byte 61); the file "
            "is damaged");
}

TEST(SafetensorsInvalid, TypesOfLessThanAByteAreNoDamage) {
  for (const std::string dtype : {"F4", "F6_E2M3", "F6_E3M2"}) {
    EXPECT_EQ(refusal(one(R"({"dtype":")" + dtype + R"(","shape":[16],"data_offsets":[0,8]})")),
              "f: tensor \"w\": has the type " + dtype +
                  ", whose numbers are parts of bytes; muonlab does not read it. Convert the model "
                  "to BF16 or F32");
  }
}

TEST(SafetensorsInvalid, TheLikesThatAreValidAreTaken) {
  const std::string good = R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
  for (const std::string& bytes : {
           one(good),
           one(R"({"dtype":"F8_E8M0","shape":[8],"data_offsets":[0,8]})"),
           one(R"({"dtype":"C64","shape":[1],"data_offsets":[0,8]})"),
           with_header("{\"w\":" + good + "}   \n\t ", 8),
           with_header("{}", 0),
           with_header("{ \"w\" : " + good + " }", 8),
           with_header("{\"\":" + good + "}", 8),
           with_header("{\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,16]},\"a\":" +
                           good + "}",
                       16),
           with_header("{\"e\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[8,8]},\"a\":" +
                           good + "}",
                       8),
           with_header("{\"e\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},\"a\":" +
                           good + "}",
                       8),
       }) {
    EXPECT_EQ(refusal(bytes), "");
  }
}

}  // namespace
}  // namespace muonlab::store
