// Names in a checkpoints/ folder: step-00000600, and the hidden ones that a save or a removal
// passes through.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace muonlab::store {

inline constexpr std::string_view kComplete = "step-";
inline constexpr std::string_view kSaving = ".saving-";  // being written; worthless after a crash
inline constexpr std::string_view kReplaced =
    ".replaced-";  // moved aside by a new save of its step
inline constexpr std::string_view kRemoving = ".removing-";  // being deleted

std::string step_name(std::string_view prefix, int64_t step);  // prefix and at least eight digits
// The step of a name that step_name(prefix, step) makes; nothing for any other name.
std::optional<int64_t> step_of(std::string_view prefix, std::string_view name);

}  // namespace muonlab::store
