// What somebody meant who wrote a key that no section has.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace muonlab::config {

// `; did you mean "x"?`, or nothing. `path` is the section that the key stands in, `known` are its
// keys. Looked up in this order: the names that PyTorch, Hugging Face and nanoGPT give a setting,
// the nearest of the known keys, and the same key in another section.
std::string key_hint(std::string_view path, std::string_view key,
                     const std::vector<std::string>& known);

}  // namespace muonlab::config
