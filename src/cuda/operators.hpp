// The plugin's operators under their names. Their signatures are those of the functions in
// muonlab/tensor/plugin.hpp: a kernel of another type does not compile.
#pragma once

#include <torch/library.h>

#include "muonlab/tensor/plugin.hpp"

namespace muonlab::cuda {

template <class Signature>
void define(torch::Library& library, c10::DispatchKey key, const char* name, Signature* kernel) {
  library.def(name, torch::dispatch(key, kernel));
}

// Kernels: a type with a static function of each operator's name.
template <class Kernels>
void define_operators(torch::Library& library, c10::DispatchKey key) {
  namespace plugin = tensor::plugin;
  define<decltype(plugin::adamw_)>(library, key, "adamw_", &Kernels::adamw_);
  define<decltype(plugin::rms_norm)>(library, key, "rms_norm", &Kernels::rms_norm);
  define<decltype(plugin::add_rms_norm)>(library, key, "add_rms_norm", &Kernels::add_rms_norm);
  define<decltype(plugin::rms_norm_backward)>(library, key, "rms_norm_backward",
                                              &Kernels::rms_norm_backward);
  define<decltype(plugin::swiglu)>(library, key, "swiglu", &Kernels::swiglu);
  define<decltype(plugin::swiglu_backward)>(library, key, "swiglu_backward",
                                            &Kernels::swiglu_backward);
}

}  // namespace muonlab::cuda
