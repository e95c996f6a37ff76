// A folder of its own for a test, removed with all it holds at the end.
#pragma once

#include <stdlib.h>

#include <string>

#include "muonlab/base/file.hpp"

namespace muonlab::base {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = "/tmp/muonlab_test_XXXXXX";
    check(::mkdtemp(name.data()) != nullptr, "no temporary folder");
    path_ = name;
  }
  ~TemporaryFolder() {
    try {
      remove_tree(path_);
    } catch (const Error&) {  // a test that made it unreadable has failed already
    }
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return join_path(path_, name); }

 private:
  std::string path_;
};

// The message of the Error that an action throws; empty when it throws none.
template <class Action>
std::string error_of(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace muonlab::base
