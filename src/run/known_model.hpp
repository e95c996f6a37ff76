#pragma once

#include <string>
#include <vector>

#include "muonlab/config/model.hpp"

namespace muonlab::run {

// Settings of a model, as "model.NAME VALUE", that change what it computes beyond the LLaMA-style
// decoder with optional QK-norm. A format that does not know them must not pass over them.
std::vector<std::string> settings_beyond_llama(const config::ModelConfig& model);

}  // namespace muonlab::run
