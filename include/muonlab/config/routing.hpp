// The first match wins: which line of assign takes which parameter. Nothing else decides it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "muonlab/config/optim.hpp"
#include "muonlab/config/role.hpp"

namespace muonlab::config {

// Stands for the line of a parameter that no line matches.
inline constexpr size_t kNoLine = SIZE_MAX;

// For each parameter the index of the first line of assign with a selector that matches it, or
// kNoLine. A configuration that was loaded or resolved leaves no parameter without a line.
std::vector<size_t> first_matches(const std::vector<AssignConfig>& assign,
                                  const std::vector<ParameterSpec>& parameters);

}  // namespace muonlab::config
