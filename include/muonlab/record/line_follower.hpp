// Lines of a file that another writer, or another part of the program, appends to.
#pragma once

#include <cstdint>
#include <string>

#include "muonlab/base/file.hpp"

namespace muonlab::record {

class LineFollower {
 public:
  // Lines from byte `offset` on. The file need not exist yet.
  explicit LineFollower(std::string path, uint64_t offset = 0,
                        base::FileSystem& files = base::real_file_system())
      : path_(std::move(path)), offset_(offset), files_(files) {}

  // Calls visit(line) for every whole line since the last call. Where the file was cut, as at a
  // resume, it continues at its new end, which a later line may repeat.
  template <class Visit>
  void poll(Visit&& visit) {
    read_more();
    size_t begin = 0;
    for (size_t end; (end = pending_.find('\n', begin)) != std::string::npos; begin = end + 1)
      visit(pending_.substr(begin, end - begin));
    pending_.erase(0, begin);
  }

 private:
  void read_more();

  std::string path_, pending_;
  uint64_t offset_;
  base::FileSystem& files_;
};

}  // namespace muonlab::record
