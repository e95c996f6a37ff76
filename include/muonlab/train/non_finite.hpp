// The run diverged: the loss or the gradient is not finite. Exit code 3.
#pragma once

#include "muonlab/base/error.hpp"

namespace muonlab::train {

class NonFinite : public base::Error {
 public:
  using base::Error::Error;
};

}  // namespace muonlab::train
