// Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random
// numbers: as easy as 1, 2, 3", SC 2011). The i-th number is a function of seed, purpose, stream
// and i; there is no state to save.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace muonlab::base {

// What numbers are for; different purposes never share numbers. Values are part of the format of a
// run: append only.
enum class Purpose : uint32_t {
  init = 1,      // initial weights
  order = 2,     // order of samples
  corpus = 3,    // synthetic data
  sampling = 4,  // tokens drawn from a model
  probe = 5,     // random vectors of probes
  test = 6,
  bootstrap = 7,  // resamples of seeds
  update = 8,     // random parts of an optimizer's update
  theory = 9,     // embeddings and noise of the theory laboratory
};

using Block = std::array<uint32_t, 4>;
// The bare function: ten rounds.
Block philox4x32(Block counter, std::array<uint32_t, 2> key);

class Philox {
 public:
  // Streams split a purpose (a layer, a parameter, a document…).
  Philox(uint64_t seed, Purpose purpose, uint64_t stream = 0);
  // A stream by name, such as a parameter's.
  Philox(uint64_t seed, Purpose purpose, std::string_view stream);

  Block bits(uint64_t index) const;
  double uniform(uint64_t index) const;                  // [0, 1), 53 bits
  uint64_t below(uint64_t index, uint64_t bound) const;  // [0, bound); bias below bound / 2^64
  // Standard normal by Box–Muller in double; indices 2k and 2k+1 share one block. Logarithm, sine
  // and cosine are computed here with +, -, *, / and sqrt only, which IEEE 754 fixes to the bit:
  // equal on every machine.
  double normal(uint64_t index) const;
  // out[i] = mean + sd * normal(first + i), rounded to float once.
  void fill_normal(std::span<float> out, uint64_t first, double mean, double sd) const;

 private:
  std::array<double, 2> normal_pair(uint64_t pair) const;
  std::array<uint32_t, 2> key_;
};

}  // namespace muonlab::base
