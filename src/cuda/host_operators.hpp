// The plugin's operators for tensors on the CPU: the same bodies, run by a loop over their lanes.
// They are slow, and there so that the step that a GPU runs can be tested without one.
#pragma once

namespace muonlab::cuda {

// Once a process; later calls do nothing.
void register_host_operators();

}  // namespace muonlab::cuda
