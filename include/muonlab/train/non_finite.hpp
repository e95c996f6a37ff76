// The run diverged: the loss or the gradient is not finite.
#pragma once

#include "muonlab/base/error.hpp"

namespace muonlab::train {

class NonFinite : public base::Error {
 public:
  using base::Error::Error;
};
inline constexpr int kNonFiniteExitCode = 3;  // of the program

}  // namespace muonlab::train
