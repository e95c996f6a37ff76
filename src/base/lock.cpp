#include "muonlab/base/lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
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

}  // namespace

FileLock::FileLock(const std::string& path, const std::string& what) {
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ < 0) throw io_error("open the lock", path, errno);
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    const int number = errno;
    const std::string id = holder(descriptor_);
    ::close(descriptor_);
    if (number != EWOULDBLOCK) throw io_error("lock", path, number);
    throw Error(what, " is in use by ", id.empty() ? "another process" : "process " + id,
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

FileLock::~FileLock() { ::close(descriptor_); }

bool FileLock::is_held(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return false;
  const bool held = ::flock(descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(descriptor);
  return held;
}

}  // namespace muonlab::base
