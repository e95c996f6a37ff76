// Which checkpoints stay.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "muonlab/store/checkpoint.hpp"

namespace muonlab::store {

// Removes older checkpoints once `keep` (at least 1) newer ones have been re-read and found whole:
// never fewer than `keep` good ones remain, and with fewer than that nothing is removed. Multiples
// of permanent_every (0: none) and best_step stay as well. Call it after commit(). Returns the
// removed steps, ascending. Throws IoError.
std::vector<int64_t> prune(const std::string& folder, int64_t keep, int64_t permanent_every,
                           std::optional<int64_t> best_step = {},
                           base::FileSystem& files = base::real_file_system());

}  // namespace muonlab::store
