// Token ids as text, for tokenizers that know the text of every id.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "muonlab/base/error.hpp"

namespace muonlab::data {

// The texts of the ids, one after another. Throws Error for an id that has none.
inline std::string joined_texts(const std::vector<std::string>& texts,
                                std::span<const int32_t> ids) {
  std::string text;
  for (const int32_t id : ids) {
    if (id < 0 || static_cast<size_t>(id) >= texts.size()) {
      throw base::Error("token id ", id, " is not in the tokenizer's vocabulary of ", texts.size());
    }
    text += texts[static_cast<size_t>(id)];
  }
  return text;
}

}  // namespace muonlab::data
