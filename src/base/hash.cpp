#include "muonlab/base/hash.hpp"

#include <cstdio>

#define XXH_STATIC_LINKING_ONLY  // the state's size, so that it can be a member
#include <xxhash.h>

namespace muonlab::base {
namespace {

Hash128 from(XXH128_hash_t value) { return {value.high64, value.low64}; }

}  // namespace

std::string Hash128::hex() const {
  char text[33];
  std::snprintf(text, sizeof text, "%016llx%016llx", static_cast<unsigned long long>(high),
                static_cast<unsigned long long>(low));
  return text;
}

std::optional<Hash128> parse_hash(std::string_view hex) {
  if (hex.size() != 32) return std::nullopt;
  uint64_t halves[2] = {};
  for (size_t i = 0; i < 32; ++i) {
    const char c = hex[i];
    uint64_t digit;
    if (c >= '0' && c <= '9') {
      digit = static_cast<uint64_t>(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      digit = static_cast<uint64_t>(c - 'a' + 10);
    } else {
      return std::nullopt;
    }
    halves[i / 16] = halves[i / 16] << 4 | digit;
  }
  return Hash128{halves[0], halves[1]};
}

Hash128 hash_bytes(std::span<const std::byte> bytes) {
  return from(XXH3_128bits(bytes.data(), bytes.size()));
}

Hash128 hash_text(std::string_view text) { return from(XXH3_128bits(text.data(), text.size())); }

uint64_t hash64(std::string_view text) { return XXH3_64bits(text.data(), text.size()); }

struct Hasher::State {
  XXH3_state_t value;
};

Hasher::Hasher() : state_(std::make_unique<State>()) { XXH3_128bits_reset(&state_->value); }
Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

void Hasher::add(std::span<const std::byte> bytes) {
  XXH3_128bits_update(&state_->value, bytes.data(), bytes.size());
}

void Hasher::add(std::string_view text) {
  XXH3_128bits_update(&state_->value, text.data(), text.size());
}

Hash128 Hasher::finish() const { return from(XXH3_128bits_digest(&state_->value)); }

}  // namespace muonlab::base
