#include "base/posix_file_system.hpp"

#include <dirent.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <limits>

namespace muonlab::base {
namespace {

Descriptor open_at(std::string_view operation, const Spot& at, int flags) {
  const int all = flags | O_CLOEXEC | (at.follows_links ? 0 : O_NOFOLLOW);
  Descriptor file(uninterrupted([&] { return ::openat(at.folder, at.name.c_str(), all, 0666); }));
  if (file.value() < 0) throw spot_error(operation, at, errno);
  return file;
}

class PosixFile final : public WritableFile {
 public:
  PosixFile(const Spot& at, int flags)
      // O_NONBLOCK: a pipe without a reader is refused (ENXIO) instead of hanging the program; it
      // makes no difference to files.
      : path_(at.path), descriptor_(open_at("open for writing", at, flags | O_NONBLOCK)) {}

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

uint64_t regular_size(const Descriptor& file, const std::string& path) {
  struct stat found {};
  if (::fstat(file.value(), &found) != 0) throw io_error("look at", path, errno);
  if (S_ISDIR(found.st_mode)) throw io_error("read", path, EISDIR);
  if (!S_ISREG(found.st_mode)) {
    throw IoError(path + ": not a regular file but a device or pipe; copy it to a file first",
                  EINVAL);
  }
  return static_cast<uint64_t>(found.st_size);
}

// O_NONBLOCK: a pipe of that name must not hang the program; it makes no difference to files.
constexpr int kRead = O_RDONLY | O_NONBLOCK;

}  // namespace

const std::string& checked_path(const std::string& path) {
  if (path.empty()) throw IoError("a file's path is empty; give its name", EINVAL);
  if (path.find('\0') != std::string::npos) {
    throw IoError(str(path.c_str(), ": the path continues after a NUL byte; remove it"), EINVAL);
  }
  return path;
}

IoError spot_error(std::string_view operation, const Spot& at, int number) {
  std::string target(4096, '\0');
  if (!at.follows_links && (number == ELOOP || number == ENOTDIR || number == EEXIST)) {
    const ssize_t length = ::readlinkat(at.folder, at.name.c_str(), target.data(), target.size());
    if (length >= 0) {
      target.resize(static_cast<size_t>(length));
      return IoError(str(at.path, ": is a symbolic link to \"", target,
                         "\"; muonlab does not follow links inside this folder, because writing "
                         "through one would change files elsewhere; put the file or folder itself "
                         "here, or remove the link"),
                     ELOOP);
    }
  }
  return io_error(operation, at.path, number);
}

void separate_from_links(const Spot& at) {
  struct stat found {};
  if (::fstatat(at.folder, at.name.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) return;
  if (!S_ISREG(found.st_mode) || found.st_nlink < 2) return;
  const Descriptor from = open_at("copy", at, kRead);
  const Spot to{at.path, {}, at.folder, temporary_path(at.name), false};
  try {
    PosixFile copy(to, O_WRONLY | O_CREAT | O_EXCL);
    std::vector<std::byte> bytes(size_t{1} << 20);
    while (true) {
      const ssize_t got =
          uninterrupted([&] { return ::read(from.value(), bytes.data(), bytes.size()); });
      if (got < 0) throw io_error("copy", at.path, errno);
      if (got == 0) break;
      copy.write(std::span(bytes).first(static_cast<size_t>(got)));
    }
    copy.sync();
    copy.close();
    ::fchmodat(at.folder, to.name.c_str(), found.st_mode & 07777, 0);
    if (::renameat(at.folder, to.name.c_str(), at.folder, at.name.c_str()) != 0)
      throw io_error("copy", at.path, errno);
  } catch (const Error&) {
    ::unlinkat(at.folder, to.name.c_str(), 0);
    throw;
  }
}

Spot PosixFileSystem::spot(std::string_view, const std::string& path) const {
  return {path, {}, AT_FDCWD, checked_path(path), true};
}

Spot PosixFileSystem::changed_spot(std::string_view operation, const std::string& path) const {
  Spot at = spot(operation, path);
  if (!at.follows_links) separate_from_links(at);
  return at;
}

std::unique_ptr<WritableFile> PosixFileSystem::create(const std::string& path) {
  return std::make_unique<PosixFile>(changed_spot("open for writing", path),
                                     O_WRONLY | O_CREAT | O_TRUNC);
}

std::unique_ptr<WritableFile> PosixFileSystem::create_new(const std::string& path) {
  return std::make_unique<PosixFile>(spot("open for writing", path), O_WRONLY | O_CREAT | O_EXCL);
}

std::unique_ptr<WritableFile> PosixFileSystem::append(const std::string& path) {
  return std::make_unique<PosixFile>(changed_spot("open for writing", path),
                                     O_WRONLY | O_CREAT | O_APPEND);
}

MappedFile PosixFileSystem::map(const std::string& path) {
  const Descriptor file = open_at("open", spot("open", path), kRead);
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

size_t PosixFileSystem::read(const std::string& path, uint64_t offset, std::span<std::byte> into) {
  const Descriptor file = open_at("open", spot("open", path), kRead);
  regular_size(file, path);
  size_t done = 0;
  while (done < into.size()) {
    const size_t part = std::min<size_t>(into.size() - done, size_t{1} << 30);
    const ssize_t got = uninterrupted([&] {
      return ::pread(file.value(), into.data() + done, part, static_cast<off_t>(offset + done));
    });
    if (got < 0) throw io_error("read", path, errno);
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  return done;
}

void PosixFileSystem::truncate(const std::string& path, uint64_t length) {
  const Descriptor file = open_at("cut", changed_spot("cut", path), O_WRONLY | O_NONBLOCK);
  const auto offset = static_cast<off_t>(length);
  if (uninterrupted([&] { return ::ftruncate(file.value(), offset); }) != 0) {
    throw io_error("cut", path, errno);
  }
}

void PosixFileSystem::rename(const std::string& from, const std::string& to) {
  const Spot before = spot("rename to " + to, from), after = spot("rename to " + to, to);
  if (::renameat(before.folder, before.name.c_str(), after.folder, after.name.c_str()) != 0) {
    throw io_error("rename to " + to, from, errno);
  }
}

void PosixFileSystem::remove_file(const std::string& path) {
  const Spot at = spot("remove", path);
  if (::unlinkat(at.folder, at.name.c_str(), 0) != 0) throw io_error("remove", path, errno);
}

void PosixFileSystem::remove_directory(const std::string& path) {
  const Spot at = spot("remove the folder", path);
  if (::unlinkat(at.folder, at.name.c_str(), AT_REMOVEDIR) != 0) {
    throw io_error("remove the folder", path, errno);
  }
}

void PosixFileSystem::make_directory(const std::string& path) {
  const Spot at = spot("make the folder", path);
  if (::mkdirat(at.folder, at.name.c_str(), 0777) == 0) return;
  const int number = errno;
  struct stat found {};
  const int flags = at.follows_links ? 0 : AT_SYMLINK_NOFOLLOW;
  if (number == EEXIST && ::fstatat(at.folder, at.name.c_str(), &found, flags) == 0 &&
      S_ISDIR(found.st_mode)) {
    return;
  }
  throw spot_error("make the folder", at, number);
}

void PosixFileSystem::sync_directory(const std::string& path) {
  const Descriptor folder =
      open_at("open the folder", spot("open the folder", path), O_RDONLY | O_DIRECTORY);
  // EINVAL: the file system has no such operation (some network and FUSE ones); nothing more can
  // be done there.
  if (::fsync(folder.value()) != 0 && errno != EINVAL) {
    throw io_error("sync the folder", path, errno);
  }
}

std::vector<std::string> PosixFileSystem::list(const std::string& path) {
  Descriptor opened = open_at("list", spot("list", path), O_RDONLY | O_DIRECTORY);
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::fdopendir(opened.value()), ::closedir);
  if (!folder) throw io_error("list", path, errno);
  opened.release();
  std::vector<std::string> names;
  for (errno = 0; const dirent* entry = ::readdir(folder.get()); errno = 0) {
    std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(std::move(name));
  }
  if (errno != 0) throw io_error("list", path, errno);
  std::sort(names.begin(), names.end());
  return names;
}

// 0 when absent.
mode_t PosixFileSystem::mode(const std::string& path, bool follows_links) const {
  try {
    const Spot at = spot("look at", path);
    struct stat found {};
    const int flags = follows_links && at.follows_links ? 0 : AT_SYMLINK_NOFOLLOW;
    if (::fstatat(at.folder, at.name.c_str(), &found, flags) == 0) {
      return found.st_mode;
    }
    throw spot_error("look at", at, errno);
  } catch (const IoError& failure) {
    if (failure.number() == ENOENT || failure.number() == ENOTDIR) return 0;
    throw;
  }
}

bool PosixFileSystem::exists(const std::string& path) { return mode(path, false) != 0; }

bool PosixFileSystem::is_directory(const std::string& path) { return S_ISDIR(mode(path, true)); }

bool PosixFileSystem::is_link(const std::string& path) { return S_ISLNK(mode(path, false)); }

uint64_t PosixFileSystem::size(const std::string& path) {
  const Spot at = spot("open", path);
  struct stat found {};
  const int flags = at.follows_links ? 0 : AT_SYMLINK_NOFOLLOW;
  if (::fstatat(at.folder, at.name.c_str(), &found, flags) != 0) {
    throw io_error("open", path, errno);
  }
  if (S_ISLNK(found.st_mode)) throw spot_error("open", at, ELOOP);
  return static_cast<uint64_t>(found.st_size);
}

uint64_t PosixFileSystem::free_space(const std::string& path) {
  struct statvfs found {};
  std::string at = path;
  // The file may not be there yet: the folder above it answers for it.
  while (::statvfs(checked_path(at).c_str(), &found) != 0) {
    if (errno != ENOENT || at == parent_path(at)) throw io_error("ask the free space", at, errno);
    at = parent_path(at);
  }
  return static_cast<uint64_t>(found.f_bavail) * found.f_frsize;
}

FileSystem& real_file_system() {
  static PosixFileSystem files;
  return files;
}

}  // namespace muonlab::base
