// origin.json of a branch: the checkpoint that it began with (docs/formats.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "muonlab/base/file.hpp"
#include "muonlab/record/run_folder.hpp"
#include "muonlab/store/checkpoint.hpp"
#include "muonlab/train/checkpoint.hpp"

namespace muonlab::run {

struct Origin {
  std::optional<std::string> from{};  // what --from named; absent where the file does not say
  std::string checkpoint{};           // its folder
  std::string manifest{};             // hash of its manifest.json; empty in earlier versions' files
  int64_t step = 0;
};

// Nothing where the run is no branch.
std::optional<Origin> read_origin(const record::RunFolder& folder);
// Opens the checkpoint again. Throws base::Error, with what to do, where it is gone or another one
// is in its place.
store::Checkpoint open_origin(const Origin& origin, const record::RunFolder& folder);
void write_origin(const record::RunFolder& folder, const std::string& from,
                  const store::Checkpoint& checkpoint, const train::CarryOver& carried,
                  base::FileSystem& files);

}  // namespace muonlab::run
