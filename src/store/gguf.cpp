#include "muonlab/store/gguf.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "muonlab/base/error.hpp"

namespace muonlab::store {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr uint64_t kAlignment = 32;
constexpr uint32_t kVersion = 3;

// The format's numbers of value types.
enum ValueType : uint32_t {
  kUint32 = 4,
  kInt32 = 5,
  kFloat32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9
};

class Bytes {
 public:
  template <class T>
  void number(T value) {
    const auto* from = reinterpret_cast<const char*>(&value);
    text_.append(from, sizeof value);
  }
  void string(const std::string& text) {
    number<uint64_t>(text.size());
    text_ += text;
  }
  void value(const GgufValue& value) {
    std::visit([this](const auto& v) { put(v); }, value);
  }
  void pad() { text_.resize((text_.size() + kAlignment - 1) / kAlignment * kAlignment, '\0'); }
  const std::string& text() const { return text_; }

 private:
  void put(bool v) {
    number<uint32_t>(kBool);
    number<uint8_t>(v ? 1 : 0);
  }
  void put(uint32_t v) {
    number<uint32_t>(kUint32);
    number(v);
  }
  void put(int32_t v) {
    number<uint32_t>(kInt32);
    number(v);
  }
  void put(float v) {
    number<uint32_t>(kFloat32);
    number(v);
  }
  void put(const std::string& v) {
    number<uint32_t>(kString);
    string(v);
  }
  void head(ValueType type, size_t count) {
    number<uint32_t>(kArray);
    number<uint32_t>(type);
    number<uint64_t>(count);
  }
  void put(const std::vector<int32_t>& v) {
    head(kInt32, v.size());
    for (const int32_t x : v) number(x);
  }
  void put(const std::vector<float>& v) {
    head(kFloat32, v.size());
    for (const float x : v) number(x);
  }
  void put(const std::vector<std::string>& v) {
    head(kString, v.size());
    for (const std::string& x : v) string(x);
  }

  std::string text_;
};

uint16_t to_bf16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value)) return static_cast<uint16_t>(bits >> 16 | 0x40u);
  return static_cast<uint16_t>((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16);
}

// Round to nearest, ties to even; too large becomes infinite.
uint16_t to_f16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000u);
  const float magnitude = std::fabs(value);
  if (std::isnan(value)) return static_cast<uint16_t>(sign | 0x7E00u);
  if (magnitude >= 65520.0f) return static_cast<uint16_t>(sign | 0x7C00u);
  // Below the normal numbers: multiples of 2^-24.
  if (magnitude < 0x1p-14f)
    return static_cast<uint16_t>(sign | static_cast<uint16_t>(std::nearbyint(magnitude * 0x1p24f)));
  const uint32_t rounded =
      std::bit_cast<uint32_t>(magnitude) + 0xFFFu + (std::bit_cast<uint32_t>(magnitude) >> 13 & 1u);
  return static_cast<uint16_t>(sign | ((rounded - (112u << 23)) >> 13));
}

template <class T>
void store(std::byte*& to, T value) {
  std::memcpy(to, &value, sizeof value);
  to += sizeof value;
}

void encode_block(const float* values, std::byte*& to) {
  float largest = 0;
  for (int64_t i = 0; i < kGgufBlock; ++i) largest = std::max(largest, std::fabs(values[i]));
  const float scale = largest / 127.0f;
  const float inverse = scale == 0 ? 0 : 1.0f / scale;
  store(to, to_f16(scale));
  for (int64_t i = 0; i < kGgufBlock; ++i)
    store(to, static_cast<int8_t>(std::round(values[i] * inverse)));
}

uint64_t aligned(uint64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

std::string header(const GgufPairs& pairs, const std::vector<GgufTensor>& tensors) {
  Bytes out;
  out.number<uint32_t>(0x46554747);  // "GGUF"
  out.number(kVersion);
  out.number<uint64_t>(tensors.size());
  out.number<uint64_t>(pairs.size());
  for (const auto& [key, value] : pairs) {
    out.string(key);
    out.value(value);
  }
  uint64_t offset = 0;
  for (const GgufTensor& tensor : tensors) {
    base::check(tensor.type != GgufType::q8_0 || tensor.shape.back() % kGgufBlock == 0,
                "a row of Q8_0 is whole blocks");
    out.string(tensor.name);
    out.number(static_cast<uint32_t>(tensor.shape.size()));
    for (size_t i = tensor.shape.size(); i-- > 0;)
      out.number(static_cast<uint64_t>(tensor.shape[i]));
    out.number(static_cast<uint32_t>(tensor.type));
    out.number(offset);
    offset += aligned(gguf_bytes(tensor.type, tensor.count()));
  }
  out.pad();
  return out.text();
}

}  // namespace

int64_t GgufTensor::count() const {
  int64_t count = 1;
  for (const int64_t size : shape) count *= size;
  return count;
}

uint64_t gguf_bytes(GgufType type, int64_t numbers) {
  const auto n = static_cast<uint64_t>(numbers);
  if (type == GgufType::f32) return 4 * n;
  if (type == GgufType::q8_0) return n / kGgufBlock * (kGgufBlock + 2);
  return 2 * n;
}

const char* gguf_type_name(GgufType type) {
  switch (type) {
    case GgufType::f32: return "F32";
    case GgufType::f16: return "F16";
    case GgufType::q8_0: return "Q8_0";
    case GgufType::bf16: return "BF16";
  }
  return "";
}

std::vector<std::byte> gguf_encode(const float* values, int64_t count, GgufType type) {
  std::vector<std::byte> bytes(gguf_bytes(type, count));
  std::byte* to = bytes.data();
  if (type == GgufType::q8_0) {
    for (int64_t i = 0; i < count; i += kGgufBlock) encode_block(values + i, to);
    return bytes;
  }
  if (type == GgufType::f32) {
    std::memcpy(to, values, bytes.size());
    return bytes;
  }
  for (int64_t i = 0; i < count; ++i)
    store(to, type == GgufType::f16 ? to_f16(values[i]) : to_bf16(values[i]));
  return bytes;
}

void write_gguf(base::FileSystem& files, const std::string& path, const GgufPairs& pairs,
                const std::vector<GgufTensor>& tensors) {
  const auto file = files.create_new(path);
  file->write_text(header(pairs, tensors));
  for (const GgufTensor& tensor : tensors) {
    std::vector<std::byte> bytes = gguf_encode(tensor.values, tensor.count(), tensor.type);
    bytes.resize(aligned(bytes.size()));
    file->write(bytes);
  }
  file->sync();
  file->close();
}

}  // namespace muonlab::store
