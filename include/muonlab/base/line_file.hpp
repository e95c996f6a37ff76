// A text file that only grows, line by line (metrics.jsonl and its kin).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "muonlab/base/file.hpp"

namespace muonlab::base {

// Every line reaches the kernel in one write, so a killed process leaves whole lines. size() is
// what a checkpoint stores; a resumed run passes it as keep_bytes and continues exactly there.
class LineFile {
 public:
  // Without keep_bytes: appends to what is there. With: cuts the file to that length first (0
  // starts anew); throws Error when the file is shorter than that.
  explicit LineFile(std::string path, std::optional<uint64_t> keep_bytes = {},
                    FileSystem& files = real_file_system());

  void write(std::string_view line);  // without its newline, which it may not contain
  void sync();                        // lines written so far are durable
  uint64_t size() const { return size_; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  std::unique_ptr<WritableFile> file_;
  uint64_t size_ = 0;
};

}  // namespace muonlab::base
