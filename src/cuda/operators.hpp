// The plugin's operators under their names. Their signatures are those of the functions in
// muonlab/tensor/plugin.hpp: a kernel of another type does not compile.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>

#include "cuda/model_operators.hpp"
#include "cuda/rotation_operators.hpp"
#include "cuda/update_operators.hpp"
#include "muonlab/tensor/plugin.hpp"

namespace muonlab::cuda {

template <class Grid>
struct Operators : ModelOperators<Grid>, RotationOperators<Grid>, UpdateOperators<Grid> {};

// The library may have an operator already, for another kind of device.
template <class Signature>
void define(torch::Library& library, c10::DispatchKey key, const char* name, Signature* kernel) {
  const std::string full_name = std::string("muonlab::") + name;
  if (c10::Dispatcher::singleton().findSchema({full_name.c_str(), ""})) {
    library.impl(name, torch::dispatch(key, kernel));
  } else {
    library.def(name, torch::dispatch(key, kernel));
  }
}

template <class Grid>
void define_operators(torch::Library& library, c10::DispatchKey key) {
  namespace plugin = tensor::plugin;
  using Ours = Operators<Grid>;
  const auto add = [&]<class Signature>(const char* name, Signature* kernel) {
    define<Signature>(library, key, name, kernel);
  };
  add.template operator()<decltype(plugin::rms_norm)>("rms_norm", &Ours::rms_norm);
  add.template operator()<decltype(plugin::add_rms_norm)>("add_rms_norm", &Ours::add_rms_norm);
  add.template operator()<decltype(plugin::rms_norm_backward)>("rms_norm_backward",
                                                               &Ours::rms_norm_backward);
  add.template operator()<decltype(plugin::activate)>("activate", &Ours::activate);
  add.template operator()<decltype(plugin::activate_backward)>("activate_backward",
                                                               &Ours::activate_backward);
  add.template operator()<decltype(plugin::embed)>("embed", &Ours::embed);
  add.template operator()<decltype(plugin::embed_backward_)>("embed_backward_",
                                                             &Ours::embed_backward_);
  add.template operator()<decltype(plugin::rotate_)>("rotate_", &Ours::rotate_);
  add.template operator()<decltype(plugin::rotate_backward_)>("rotate_backward_",
                                                              &Ours::rotate_backward_);
  add.template operator()<decltype(plugin::cross_entropy_)>("cross_entropy_",
                                                            &Ours::cross_entropy_);
  add.template operator()<decltype(plugin::close_step_)>("close_step_", &Ours::close_step_);
  add.template operator()<decltype(plugin::adamw_)>("adamw_", &Ours::adamw_);
  add.template operator()<decltype(plugin::muon_direction_)>("muon_direction_",
                                                             &Ours::muon_direction_);
  add.template operator()<decltype(plugin::muon_apply_)>("muon_apply_", &Ours::muon_apply_);
}

}  // namespace muonlab::cuda
