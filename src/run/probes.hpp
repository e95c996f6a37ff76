// The probes that a configuration asks for.
#pragma once

#include <memory>
#include <vector>

#include "muonlab/train/probe.hpp"

namespace muonlab::run {

std::vector<std::unique_ptr<train::Probe>> make_probes(const config::RunConfig& config);

}  // namespace muonlab::run
