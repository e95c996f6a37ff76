// Time of the phases of a step.
#pragma once

#include <chrono>

namespace muonlab::train {

// Seconds since the last call, so that one line ends each phase.
class Lap {
 public:
  double operator()() {
    const auto now = std::chrono::steady_clock::now();
    const double seconds = std::chrono::duration<double>(now - last_).count();
    last_ = now;
    return seconds;
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

}  // namespace muonlab::train
