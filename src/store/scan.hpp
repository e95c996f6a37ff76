// A checkpoint's file read once: its hash, and whether its numbers are finite.
#pragma once

#include <string>

#include "muonlab/base/file.hpp"
#include "muonlab/base/hash.hpp"

namespace muonlab::store {

struct Scan {
  base::Hash128 hash;
  std::string non_finite;  // the first tensor that holds NaN or an infinity; empty for none
  std::string fault;       // why the tensors cannot be told apart; empty for none
};

// has_tensors: it is a safetensors file. The file is not mapped but read piece by piece: what
// happens to it meanwhile is a wrong hash, nothing worse. Throws IoError.
Scan scan_file(const std::string& path, bool has_tensors, base::FileSystem& files);

}  // namespace muonlab::store
