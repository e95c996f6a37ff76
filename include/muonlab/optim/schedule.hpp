// Learning rates over a run.
#pragma once

#include <cstdint>

#include "muonlab/config/optim.hpp"

namespace muonlab::optim {

// Multiplier of the learning rate at a step (1-based) of a run of `num_steps`.
double schedule_multiplier(const config::ScheduleConfig& schedule, int64_t step, int64_t num_steps);

}  // namespace muonlab::optim
