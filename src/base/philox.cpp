#include "muonlab/base/philox.hpp"

#include <cmath>

#include "muonlab/base/hash.hpp"

// A fused multiply-add rounds once where two operations round twice; results must not depend on
// which is at hand.
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif

namespace muonlab::base {
namespace {

constexpr double kTwoTo53 = 9007199254740992.0;

uint64_t join(uint32_t high, uint32_t low) { return uint64_t{high} << 32 | low; }

// 53 bits, [0, 1).
double to_uniform(uint32_t high, uint32_t low) {
  return static_cast<double>(join(high, low) >> 11) / kTwoTo53;
}

// ln x for 0 < x <= 1, error about 1e-16: x = m 2^e with m in [sqrt(1/2), sqrt(2)), ln m = 2
// artanh((m - 1)/(m + 1)).
double natural_log(double x) {
  int exponent = 0;
  double m = std::frexp(x, &exponent);
  if (m < 0.70710678118654752) {
    m *= 2.0;
    --exponent;
  }
  const double s = (m - 1.0) / (m + 1.0);
  const double s2 = s * s;
  double series = 0.0;
  for (int k = 23; k >= 1; k -= 2) series = series * s2 + 1.0 / k;
  return 2.0 * s * series + exponent * 0.69314718055994531;
}

// Cosine and sine of 2 pi u for 0 <= u < 1, by quarter turns and Taylor series on [-pi/4, pi/4].
std::array<double, 2> cosine_sine_turns(double u) {
  const double quarter = std::floor(4.0 * u + 0.5);
  const double x = (u - quarter / 4.0) * 6.28318530717958648;  // the difference is exact
  const double x2 = x * x;
  double cosine = 0.0;
  double sine = 0.0;
  for (int k = 16; k >= 2; k -= 2) cosine = (1.0 - cosine) * x2 / (k * (k - 1));
  cosine = 1.0 - cosine;
  for (int k = 17; k >= 3; k -= 2) sine = (1.0 - sine) * x2 / (k * (k - 1));
  sine = x * (1.0 - sine);
  switch (static_cast<int>(quarter) & 3) {
    case 0: return {cosine, sine};
    case 1: return {-sine, cosine};
    case 2: return {-cosine, -sine};
    default: return {sine, -cosine};
  }
}

}  // namespace

Block philox4x32(Block counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{0xD2511F53} * counter[0];
    const uint64_t product1 = uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key[0],
               static_cast<uint32_t>(product1),
               static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key[1],
               static_cast<uint32_t>(product0)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

// The key of a stream is itself a random block: seed as key, stream and purpose as counter.
Philox::Philox(uint64_t seed, Purpose purpose, uint64_t stream) {
  const Block block =
      philox4x32({static_cast<uint32_t>(stream), static_cast<uint32_t>(stream >> 32),
                  static_cast<uint32_t>(purpose), 0x6d756f6e},
                 {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
  key_ = {block[0], block[1]};
}

Philox::Philox(uint64_t seed, Purpose purpose, std::string_view stream)
    : Philox(seed, purpose, hash64(stream)) {}

Block Philox::bits(uint64_t index) const {
  return philox4x32({static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32), 0, 0}, key_);
}

double Philox::uniform(uint64_t index) const {
  const Block block = bits(index);
  return to_uniform(block[0], block[1]);
}

uint64_t Philox::below(uint64_t index, uint64_t bound) const {
  const Block block = bits(index);
  __extension__ using Wide = unsigned __int128;
  return static_cast<uint64_t>(static_cast<Wide>(join(block[0], block[1])) * bound >> 64);
}

std::array<double, 2> Philox::normal_pair(uint64_t pair) const {
  const Block block = bits(pair);
  const double u = 1.0 - to_uniform(block[0], block[1]);  // (0, 1]
  const double radius = std::sqrt(-2.0 * natural_log(u));
  const auto [cosine, sine] = cosine_sine_turns(to_uniform(block[2], block[3]));
  return {radius * cosine, radius * sine};
}

double Philox::normal(uint64_t index) const { return normal_pair(index / 2)[index % 2]; }

void Philox::fill_normal(std::span<float> out, uint64_t first, double mean, double sd) const {
  std::array<double, 2> pair{};
  for (size_t i = 0; i < out.size(); ++i) {
    const uint64_t index = first + i;
    if (i == 0 || index % 2 == 0) pair = normal_pair(index / 2);
    out[i] = static_cast<float>(mean + sd * pair[index % 2]);
  }
}

}  // namespace muonlab::base
