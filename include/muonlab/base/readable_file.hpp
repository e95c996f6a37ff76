// A file read at any place by plain reads. Nothing is mapped: where another program cuts the file
// meanwhile, reading throws an error with its name, while touching a mapping would end the program
// with SIGBUS.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace muonlab::base {

// Differs after anything was written to the file or cut from it (time of the last change, size).
struct FileStamp {
  int64_t seconds = 0, nanoseconds = 0;
  uint64_t size = 0;
  bool operator==(const FileStamp&) const = default;
};

// Cheap to copy; the file stays open as long as any copy lives. Several threads may read at once.
class ReadableFile {
 public:
  // Regular files only. Throws IoError.
  explicit ReadableFile(std::string path);

  const std::string& path() const { return path_; }
  uint64_t size() const { return size_; }  // bytes when it was opened
  // Fills `out` with the bytes from `offset` on. Throws IoError, also where the file ends earlier
  // than it did when it was opened.
  void read(uint64_t offset, std::span<std::byte> out) const;
  FileStamp stamp() const;  // of the open file, whatever its name leads to by now

 private:
  class Descriptor;
  std::string path_;
  std::shared_ptr<const Descriptor> file_;
  uint64_t size_ = 0;
};

}  // namespace muonlab::base
