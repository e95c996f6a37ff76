// What a person sees when a run starts.
#pragma once

#include <map>
#include <string>

#include "muonlab/run/session.hpp"

namespace muonlab::run {

// The lines model, data, plan and memory, then the assignment table.
std::string start_page(const Prepared& prepared);
// What computes, beside the settings: program, commit, compiler, LibTorch, processor, instruction
// sets, and those that MUONLAB_WITHOUT hides. By name.
std::map<std::string, std::string> build_facts();
// build.json: these, device and threads.
std::string build_json(const Prepared& prepared);

}  // namespace muonlab::run
