#pragma once

#include "muonlab/base/error.hpp"

namespace muonlab::base {

// The command line asks for something that cannot be, whatever the files hold. Exit code 2.
class UsageError : public Error {
 public:
  using Error::Error;
};

}  // namespace muonlab::base
