// What a person sees when a run starts.
#pragma once

#include <string>

#include "muonlab/run/session.hpp"

namespace muonlab::run {

// The lines model, data, plan and memory, then the assignment table.
std::string start_page(const Prepared& prepared);

}  // namespace muonlab::run
