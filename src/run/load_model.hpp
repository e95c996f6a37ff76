#pragma once

#include <functional>

#include "muonlab/run/session.hpp"

namespace muonlab::run {

// Decides what the configuration leaves to the machine; says where that is not what was asked for.
tensor::Place decide_place(config::RunConfig& config);

// What the config.json of a Hugging Face folder describes.
config::ModelConfig stored_shape(const std::string& folder);
// Whether the weights beside it hold the gains of norms less one.
bool stored_gains_less_one(const std::string& folder);
// load_model() of a Hugging Face folder; choose(configuration) decides where to compute.
LoadedModel load_foreign_model(const std::string& folder,
                               const std::function<tensor::Place(config::RunConfig&)>& choose);

}  // namespace muonlab::run
