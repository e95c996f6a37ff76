// A file read piece by piece. It is not mapped: what happens to the file meanwhile is a wrong hash,
// nothing worse.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "muonlab/base/file.hpp"

namespace muonlab::store {

// visit(bytes) for `size` bytes from `offset` on, in pieces of a multiple of 8 bytes; fewer where
// the file ends before that.
template <class Visit>
void each_piece(const std::string& path, uint64_t offset, uint64_t size, base::FileSystem& files,
                Visit&& visit) {
  constexpr size_t kPiece = size_t{1} << 20;
  const auto piece = std::make_unique_for_overwrite<std::byte[]>(std::min<uint64_t>(size, kPiece));
  for (uint64_t done = 0; done < size;) {
    const auto wanted = static_cast<size_t>(std::min<uint64_t>(size - done, kPiece));
    size_t filled = 0;
    while (filled < wanted) {
      const size_t got = files.read(path, offset + done + filled,
                                    std::span(piece.get() + filled, wanted - filled));
      if (got == 0) break;
      filled += got;
    }
    visit(std::span<const std::byte>(piece.get(), filled));
    if (filled < wanted) return;
    done += filled;
  }
}

}  // namespace muonlab::store
