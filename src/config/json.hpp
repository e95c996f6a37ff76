// JSON text to values with positions.
#pragma once

#include <memory>
#include <string_view>

#include "config/problems.hpp"
#include "config/value.hpp"

namespace muonlab::config {

inline constexpr size_t kMaxBytes = 1 << 20;
inline constexpr int kMaxDepth = 64;

// What a key that stands twice in one object means: a mistake in a file of ours; in a file made for
// Python its json module, and so every program there, takes the last one.
enum class DuplicateKeys { refused, last_wins };

// Reads one JSON value (RFC 8259, strict UTF-8) with // and /* */ comments and trailing commas.
// Adds what is wrong to problems: one syntax error, or every duplicate key. The value is whole only
// if nothing was added.
Value parse_json(std::string_view text, const std::shared_ptr<const Source>& source,
                 Problems& problems, DuplicateKeys duplicates = DuplicateKeys::refused);

}  // namespace muonlab::config
