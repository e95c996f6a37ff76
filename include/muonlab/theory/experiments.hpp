// The experiments: a variant of their config structs. Each struct has
//   kName   its name on the command line ("memory")
//   kTitle  of its page
//   kPaper  "arXiv 2509.26030"
//   kAbout  one sentence: what it computes
//   fields  config/field.hpp; threads are the runtime's
//   check   what the fields alone cannot say; calls fail(name, text)
// and a function run(config, context, result) in a file of its own.
#pragma once

#include <variant>

#include "muonlab/theory/capacity.hpp"
#include "muonlab/theory/context.hpp"
#include "muonlab/theory/curvature.hpp"
#include "muonlab/theory/denoise.hpp"
#include "muonlab/theory/dynamics.hpp"
#include "muonlab/theory/memory.hpp"
#include "muonlab/theory/phases.hpp"
#include "muonlab/theory/result.hpp"
#include "muonlab/theory/saddle.hpp"

namespace muonlab::theory {

using Experiment = std::variant<MemoryConfig, DynamicsConfig, CurvatureConfig, PhasesConfig,
                                CapacityConfig, DenoiseConfig, SaddleConfig>;

}  // namespace muonlab::theory
