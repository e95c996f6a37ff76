// manifest.json of a checkpoint: valid JSON whose last line is the hash of all bytes before that
// line.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "muonlab/store/safetensors.hpp"

namespace muonlab::store {

inline constexpr const char* kManifestName = "manifest.json";

struct Manifest {
  int64_t step = 0;
  std::map<std::string, FileDigest> files;
  bool operator==(const Manifest&) const = default;
};

// {"format": 1, "step": …, "files": {NAME: {"size": …, "xxh3_128": …}}, "manifest_xxh3_128": …}, a
// line a file.
std::string manifest_text(const Manifest& manifest);
// Accepts exactly what manifest_text() writes. Throws Error with the reason, which does not name
// the file.
Manifest parse_manifest(std::string_view text);

}  // namespace muonlab::store
