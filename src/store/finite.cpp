#include "muonlab/store/finite.hpp"

#include <algorithm>
#include <cstring>

namespace muonlab::store {
namespace {

// A float is not finite where all bits of its exponent are set. Blocks of a fixed size, copied out
// since foreign files need not align their tensors, become vector instructions.
template <class Bits>
bool exponents_below(std::span<const std::byte> bytes, Bits exponent) {
  constexpr size_t kBlock = 256 / sizeof(Bits);
  const auto is_clean = [exponent](const std::byte* from, size_t size) {
    Bits block[kBlock] = {};
    std::memcpy(block, from, size);
    Bits found = 0;
    for (size_t i = 0; i < kBlock; ++i) {
      found |= static_cast<Bits>((block[i] & exponent) == exponent ? 1 : 0);
    }
    return found == 0;
  };
  size_t at = 0;
  for (; at + sizeof(Bits) * kBlock <= bytes.size(); at += sizeof(Bits) * kBlock) {
    if (!is_clean(bytes.data() + at, sizeof(Bits) * kBlock)) return false;
  }
  return at == bytes.size() || is_clean(bytes.data() + at, bytes.size() - at);
}

}  // namespace

bool all_finite(const TensorView& tensor) {
  const std::string& dtype = tensor.dtype;
  if (dtype == "F32") return exponents_below<uint32_t>(tensor.bytes, 0x7F800000u);
  if (dtype == "BF16") return exponents_below<uint16_t>(tensor.bytes, 0x7F80u);
  if (dtype == "F16") return exponents_below<uint16_t>(tensor.bytes, 0x7C00u);
  if (dtype == "F64") return exponents_below<uint64_t>(tensor.bytes, 0x7FF0000000000000u);
  return true;
}

std::optional<std::string> first_non_finite(const std::vector<TensorView>& tensors) {
  const auto found =
      std::find_if(tensors.begin(), tensors.end(), [](const auto& t) { return !all_finite(t); });
  return found == tensors.end() ? std::nullopt : std::optional(found->name);
}

}  // namespace muonlab::store
