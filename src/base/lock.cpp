#include "muonlab/base/lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "muonlab/base/file.hpp"

namespace muonlab::base {
namespace {

// The process id its holder wrote into the file, or nothing readable.
std::string holder(int descriptor) {
  char text[32] = {};
  const ssize_t length = ::pread(descriptor, text, sizeof text - 1, 0);
  std::string id(text, length > 0 ? static_cast<size_t>(length) : 0);
  while (!id.empty() && id.back() == '\n') id.pop_back();
  return id;
}

// is_held() takes a shared lock for microseconds; whoever meets it tries again for this long.
constexpr int kTries = 20;
constexpr useconds_t kBetweenTries_us = 5000;

bool try_lock(int descriptor, LockMode mode) {
  const int kind = mode == LockMode::alone ? LOCK_EX : LOCK_SH;
  for (int i = 1; ::flock(descriptor, kind | LOCK_NB) != 0; ++i) {
    if (errno != EINTR && (errno != EWOULDBLOCK || i >= kTries)) return false;
    ::usleep(kBetweenTries_us);
  }
  return true;
}

bool has_other_names(int descriptor) {
  struct stat found {};
  return ::fstat(descriptor, &found) == 0 && found.st_nlink > 1;
}

int open_lock(int folder, const std::string& name, const std::string& path) {
  const int descriptor =
      ::openat(folder, name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
  if (descriptor >= 0) return descriptor;
  if (errno != ELOOP) throw io_error("open the lock", path, errno);
  throw IoError(path +
                    ": is a symbolic link; a lock is written through no link, because that would "
                    "change a file elsewhere. Remove the link",
                ELOOP);
}

}  // namespace

FileLock::FileLock(const std::string& path, const std::string& what, LockMode mode)
    : FileLock(AT_FDCWD, path, path, what, mode) {}

FileLock::FileLock(int folder, const std::string& name, const std::string& path,
                   const std::string& what, LockMode mode) {
  // Again where the file was removed or replaced between opening and locking it.
  for (int i = 0; descriptor_ < 0 || (i < kTries && !is_at(folder, name)); ++i) {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = open_lock(folder, name, path);
    if (try_lock(descriptor_, mode)) {
      // A hard link: another file would get the process id. A lock of its own takes its place;
      // once, since some network file systems count links wrongly.
      if (i == 0 && is_at(folder, name) && has_other_names(descriptor_))
        ::unlinkat(folder, name.c_str(), 0);
      continue;
    }
    const int number = errno;
    const std::string id = holder(descriptor_);
    ::close(descriptor_);
    if (number != EWOULDBLOCK) throw io_error("lock", path, number);
    throw InUse(what, " is in use by ", id.empty() ? "another process" : "process " + id,
                "; wait for it or stop it first");
  }
  const std::string id = std::to_string(::getpid()) + "\n";
  if (::ftruncate(descriptor_, 0) != 0 ||
      ::pwrite(descriptor_, id.data(), id.size(), 0) != static_cast<ssize_t>(id.size())) {
    const int number = errno;
    ::close(descriptor_);
    throw io_error("write the lock", path, number);
  }
}

void FileLock::share() { ::flock(descriptor_, LOCK_SH); }

bool FileLock::is_at(int folder, const std::string& name) const {
  struct stat there {
  }, held{};
  if (::fstatat(folder, name.c_str(), &there, AT_SYMLINK_NOFOLLOW) != 0) return false;
  if (::fstat(descriptor_, &held) != 0) return false;
  errno = 0;
  return there.st_dev == held.st_dev && there.st_ino == held.st_ino;
}

FileLock::~FileLock() { ::close(descriptor_); }

bool FileLock::is_held(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return false;
  const bool held = ::flock(descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(descriptor);
  return held;
}

}  // namespace muonlab::base
