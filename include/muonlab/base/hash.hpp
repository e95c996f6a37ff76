// XXH3-128: finds every accidental change of a file. It is no defence against a forger.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace muonlab::base {

struct Hash128 {
  uint64_t high = 0;
  uint64_t low = 0;
  bool operator==(const Hash128&) const = default;
  std::string hex() const;  // 32 lower-case digits, high half first (as `xxhsum -H128` prints)
};
std::optional<Hash128> parse_hash(std::string_view hex);

Hash128 hash_bytes(std::span<const std::byte> bytes);
Hash128 hash_text(std::string_view text);
uint64_t hash64(std::string_view text);  // XXH3-64, for keys derived from names

// The same value, fed piece by piece.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;
  void add(std::span<const std::byte> bytes);
  void add(std::string_view text);
  Hash128 finish() const;  // of all bytes so far; more may follow

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace muonlab::base
