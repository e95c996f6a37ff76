// The half of JSON reading that strict JSON leaves out: comments and trailing commas become blanks,
// at equal length, so that every offset stays true.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muonlab::config {

struct TidyJson {
  std::string text;                    // as long as the original
  std::vector<size_t> tokens;          // where each token starts
  std::vector<size_t> values;          // those of them that open a value or a key
  std::optional<size_t> open_comment;  // where a comment starts that never ends
};

TidyJson tidy_json(std::string_view text);

}  // namespace muonlab::config
