// The FileSystem of Linux and its kin: plain system calls, every result looked at.
#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <limits>
#include <utility>

#include "muonlab/base/file.hpp"

namespace muonlab::base {
namespace {

// Runs a system call again while a signal interrupts it.
template <class Call>
auto uninterrupted(Call call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

const char* checked(const std::string& path) {
  if (path.empty()) throw IoError("a file's path is empty; give its name", EINVAL);
  if (path.find('\0') != std::string::npos) {
    throw IoError(str(path.c_str(), ": the path goes on behind a NUL byte; remove it"), EINVAL);
  }
  return path.c_str();
}

class Descriptor {
 public:
  Descriptor(std::string_view operation, const std::string& path, int flags)
      : value_(uninterrupted([&] { return ::open(checked(path), flags | O_CLOEXEC, 0666); })) {
    if (value_ < 0) throw io_error(operation, path, errno);
  }
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int value() const { return value_; }
  int release() { return std::exchange(value_, -1); }

 private:
  int value_;
};

class PosixFile final : public WritableFile {
 public:
  PosixFile(std::string path, int flags)
      // O_NONBLOCK: a pipe without a reader is refused (ENXIO) instead of hanging the program; it
      // makes no difference to files.
      : path_(std::move(path)), descriptor_("open for writing", path_, flags | O_NONBLOCK) {}

  void write(std::span<const std::byte> bytes) override {
    check_open();
    while (!bytes.empty()) {
      const size_t part = std::min<size_t>(bytes.size(), size_t{1} << 30);
      const ssize_t written = ::write(descriptor_.value(), bytes.data(), part);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) throw io_error("write", path_, errno, bytes.size());
      if (written == 0) throw io_error("write", path_, ENOSPC, bytes.size());
      bytes = bytes.subspan(static_cast<size_t>(written));
    }
  }

  void sync() override {
    check_open();
    if (::fsync(descriptor_.value()) != 0) throw io_error("sync to disk", path_, errno);
  }

  void close() override {
    check_open();
    // On Linux the descriptor is gone even when close is interrupted.
    if (::close(descriptor_.release()) != 0 && errno != EINTR) {
      throw io_error("close", path_, errno);
    }
  }

 private:
  void check_open() const { check(descriptor_.value() >= 0, path_ + " is used after close"); }

  std::string path_;
  Descriptor descriptor_;
};

class PosixFileSystem final : public FileSystem {
 public:
  std::unique_ptr<WritableFile> create(const std::string& path) override {
    return std::make_unique<PosixFile>(path, O_WRONLY | O_CREAT | O_TRUNC);
  }

  std::unique_ptr<WritableFile> append(const std::string& path) override {
    return std::make_unique<PosixFile>(path, O_WRONLY | O_CREAT | O_APPEND);
  }

  MappedFile map(const std::string& path) override {
    // O_NONBLOCK: a pipe of that name must not hang the program; it makes no difference to files.
    const Descriptor file("open", path, O_RDONLY | O_NONBLOCK);
    const uint64_t length = regular_size(file, path);
    if (length == 0) return MappedFile(path, {}, nullptr);
    if (length > std::numeric_limits<size_t>::max()) throw io_error("map", path, EFBIG);
    void* address = ::mmap(nullptr, length, PROT_READ, MAP_SHARED, file.value(), 0);
    if (address == MAP_FAILED) throw io_error("map", path, errno);
    std::shared_ptr<const void> owner(
        address, [length](const void* mapped) { ::munmap(const_cast<void*>(mapped), length); });
    if (regular_size(file, path) != length) {
      throw IoError(path +
                        ": the file changed its size while it was opened; try again once "
                        "nothing writes to it",
                    EBUSY);
    }
    return MappedFile(path, {static_cast<const std::byte*>(address), length}, std::move(owner));
  }

  void truncate(const std::string& path, uint64_t length) override {
    const auto offset = static_cast<off_t>(length);
    if (uninterrupted([&] { return ::truncate(checked(path), offset); }) != 0) {
      throw io_error("cut", path, errno);
    }
  }

  void rename(const std::string& from, const std::string& to) override {
    if (::rename(checked(from), checked(to)) != 0) throw io_error("rename to " + to, from, errno);
  }

  void remove_file(const std::string& path) override {
    if (::unlink(checked(path)) != 0) throw io_error("remove", path, errno);
  }

  void remove_directory(const std::string& path) override {
    if (::rmdir(checked(path)) != 0) throw io_error("remove the folder", path, errno);
  }

  void make_directory(const std::string& path) override {
    if (::mkdir(checked(path), 0777) == 0) return;
    const int number = errno;
    struct stat found {};
    if (number == EEXIST && ::stat(path.c_str(), &found) == 0 && S_ISDIR(found.st_mode)) return;
    throw io_error("make the folder", path, number);
  }

  void sync_directory(const std::string& path) override {
    const Descriptor folder("open the folder", path, O_RDONLY | O_DIRECTORY);
    // EINVAL: the file system has no such operation (some network and FUSE ones); nothing more can
    // be done there.
    if (::fsync(folder.value()) != 0 && errno != EINVAL) {
      throw io_error("sync the folder", path, errno);
    }
  }

  std::vector<std::string> list(const std::string& path) override {
    const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(checked(path)), ::closedir);
    if (!folder) throw io_error("list", path, errno);
    std::vector<std::string> names;
    for (errno = 0; const dirent* entry = ::readdir(folder.get()); errno = 0) {
      std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(std::move(name));
    }
    if (errno != 0) throw io_error("list", path, errno);
    std::sort(names.begin(), names.end());
    return names;
  }

  bool exists(const std::string& path) override {
    struct stat found {};
    return look(path, found);
  }

  bool is_directory(const std::string& path) override {
    struct stat found {};
    return look(path, found) && S_ISDIR(found.st_mode);
  }

  uint64_t size(const std::string& path) override {
    struct stat found {};
    if (::stat(checked(path), &found) != 0) throw io_error("look at", path, errno);
    return static_cast<uint64_t>(found.st_size);
  }

  uint64_t free_space(const std::string& path) override {
    struct statvfs found {};
    std::string at = path;
    // The file may not be there yet: the folder above it answers for it.
    while (::statvfs(checked(at), &found) != 0) {
      if (errno != ENOENT || at == parent_path(at)) throw io_error("ask the free space", at, errno);
      at = parent_path(at);
    }
    return static_cast<uint64_t>(found.f_bavail) * found.f_frsize;
  }

 private:
  // The entry itself, a link not followed. False when absent.
  static bool look(const std::string& path, struct stat& found) {
    if (::lstat(checked(path), &found) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    throw io_error("look at", path, errno);
  }

  static uint64_t regular_size(const Descriptor& file, const std::string& path) {
    struct stat found {};
    if (::fstat(file.value(), &found) != 0) throw io_error("look at", path, errno);
    if (S_ISDIR(found.st_mode)) throw io_error("read", path, EISDIR);
    if (!S_ISREG(found.st_mode)) {
      throw IoError(path + ": not a regular file but a device or pipe; copy it to a file first",
                    EINVAL);
    }
    return static_cast<uint64_t>(found.st_size);
  }
};

}  // namespace

FileSystem& real_file_system() {
  static PosixFileSystem files;
  return files;
}

}  // namespace muonlab::base
