// The FileSystem of Linux and its kin: plain system calls, every result looked at.
#pragma once

#include <fcntl.h>
#include <sys/types.h>

#include "base/descriptor.hpp"
#include "muonlab/base/file.hpp"

namespace muonlab::base {

// Where a path leads: a name in an open folder. With follows_links false, neither the name nor
// anything on the way to it may be a symbolic link.
struct Spot {
  std::string path;  // as messages name it
  Descriptor opened;
  int folder = AT_FDCWD;  // `opened`, or a descriptor that someone else holds
  std::string name;
  bool follows_links = true;
};

class PosixFileSystem : public FileSystem {
 public:
  std::unique_ptr<WritableFile> create(const std::string& path) override;
  std::unique_ptr<WritableFile> create_new(const std::string& path) override;
  std::unique_ptr<WritableFile> append(const std::string& path) override;
  MappedFile map(const std::string& path) override;
  size_t read(const std::string& path, uint64_t offset, std::span<std::byte> into) override;
  void truncate(const std::string& path, uint64_t length) override;
  void rename(const std::string& from, const std::string& to) override;
  void remove_file(const std::string& path) override;
  void remove_directory(const std::string& path) override;
  void make_directory(const std::string& path) override;
  void sync_directory(const std::string& path) override;
  std::vector<std::string> list(const std::string& path) override;
  bool exists(const std::string& path) override;
  bool is_directory(const std::string& path) override;
  bool is_link(const std::string& path) override;
  uint64_t size(const std::string& path) override;
  uint64_t free_space(const std::string& path) override;

 protected:
  // A path as the system takes it.
  virtual Spot spot(std::string_view operation, const std::string& path) const;

 private:
  // Of a file whose bytes are about to change.
  Spot changed_spot(std::string_view operation, const std::string& path) const;
  mode_t mode(const std::string& path, bool follows_links) const;
};

// The path, which may be neither empty nor hold a NUL byte.
const std::string& checked_path(const std::string& path);
// The error of a failed operation. Where links are not followed and a link is at the spot, it names
// the link.
IoError spot_error(std::string_view operation, const Spot& at, int number);
// A path beside `path` that nobody can foresee, for a file that will be renamed to it.
std::string temporary_path(const std::string& path);
// Before the bytes of a file change: one that has a second name elsewhere (a hard link, as `cp -al`
// makes them for backups) is replaced by a copy of its own, so that the other file stays as it is.
void separate_from_links(const Spot& at);

}  // namespace muonlab::base
