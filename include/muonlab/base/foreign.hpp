// Whether a folder named by the user is one that this program may fill with its files.
#pragma once

#include <span>
#include <string>

namespace muonlab::base {

// Accepts a folder that is absent or empty, that holds the file `mark` (then it is ours), or in
// which every name is in `known` or that of a temporary file of ours. Throws Error naming what else
// is there and how to choose another folder (`remedy`).
void refuse_foreign_folder(const std::string& path, const std::string& mark,
                           std::span<const std::string> known, const std::string& remedy);

}  // namespace muonlab::base
