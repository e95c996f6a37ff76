// A loss, a gradient or a stored value that is NaN or infinite: the run has diverged.
#pragma once

#include "muonlab/base/error.hpp"

namespace muonlab::base {

// Exit code 3.
class NonFinite : public Error {
 public:
  using Error::Error;
};

}  // namespace muonlab::base
