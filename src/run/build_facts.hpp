// What computes a run, beside its settings.
#pragma once

#include <map>
#include <string>

#include "muonlab/run/session.hpp"

namespace muonlab::run {

// By name: program, commit, compiler, LibTorch, processor, instruction sets, and those that
// MUONLAB_WITHOUT hides.
std::map<std::string, std::string> build_facts();
// build.json: these, device and threads.
std::string build_json(const Prepared& prepared);
// The facts that a build.json holds; none for a text that is no JSON.
std::map<std::string, std::string> parse_build_facts(const std::string& text);

}  // namespace muonlab::run
