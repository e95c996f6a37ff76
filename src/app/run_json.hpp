// How far runs and sweeps are, for programs (docs/formats.md).
#pragma once

#include <string>

#include <nlohmann/json.hpp>

namespace muonlab::app {

// {"path":…,"state":"finished","step":400,"steps":400,"tokens":…,"loss":…,"val_loss":…,…}
nlohmann::ordered_json run_json(const std::string& folder);
// {"path":…,"finished":12,"running":0,…,"cells":[{"name":…,"state":…,"val_loss":…},…]}
nlohmann::ordered_json sweep_json(const std::string& folder);

}  // namespace muonlab::app
