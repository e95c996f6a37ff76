// Two kinds of failure: Error is the user's to mend (a bad config, a missing file), Bug is ours.
// Only main catches them. Expected absence ("no checkpoint yet") is a return value, not an
// exception.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace muonlab::base {

// str(a, b, ...) joins its arguments as a stream would print them.
template <class... Parts>
std::string str(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

// What went wrong, where, and what to do, in one message for a person. Exit code 1; 2 for a config.
class Error : public std::runtime_error {
 public:
  template <class... Parts>
  explicit Error(const Parts&... parts) : std::runtime_error(str(parts...)) {}
};

// A broken invariant of the program itself. Exit code 70.
class Bug : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

struct Place {
  const char* file;
  int line;
};

inline void check(bool condition, const std::string& what,
                  Place at = {__builtin_FILE(), __builtin_LINE()}) {
  if (!condition) throw Bug(str(at.file, ":", at.line, ": ", what));
}

}  // namespace muonlab::base
