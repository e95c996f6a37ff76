// Which bodies the operations of a run have. Decided once, when a configuration becomes objects,
// and recorded in build.json; operations are told and do not ask again.
#pragma once

#include <string_view>

#include <c10/core/Device.h>

#include "muonlab/config/run.hpp"

namespace muonlab::tensor {

enum class Path {
  cpu,        // our kernels, with hand-written backward passes: fp32 or bf16 on the CPU
  cuda,       // kernels of the CUDA plugin, with the same backward passes: fp32 or bf16 on a GPU
  reference,  // composed ATen: any device and number type, differentiable twice
};
std::string_view path_name(Path path);

struct Place {
  at::Device device;
  Path path;
};
// Where a run with these settings computes, and by which path. "auto" takes a GPU for the reference
// alone, as long as the fused step has not been proved on one. Throws base::Error when cuda is
// asked for and cannot be had.
Place choose_place(config::Device device, config::Kernels kernels);

}  // namespace muonlab::tensor
