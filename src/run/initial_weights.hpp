#pragma once

#include "muonlab/run/session.hpp"

namespace muonlab::run {

// The weights that config.init names, into a session that has just begun; nothing where it names
// none. Throws base::Error where the folder's model is another than the configuration's.
void load_initial_weights(Session& session);

}  // namespace muonlab::run
