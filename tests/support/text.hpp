// Questions that tests ask of texts.
#pragma once

#include <string>

namespace muonlab::support {

inline bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace muonlab::support
