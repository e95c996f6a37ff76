#include "muonlab/base/readable_file.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "muonlab/base/file.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::base {
namespace {

// A run on many shards holds them all open: more than the usual soft limit of 1,024 files, less
// than the hard one. False when there is nothing to raise.
bool raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return false;
  limit.rlim_cur = limit.rlim_max;
  return ::setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

int open_for_reading(const std::string& path) {
  if (path.find('\0') != std::string::npos) {
    throw IoError(str(path.c_str(), ": the path holds a NUL byte; remove it"), EINVAL);
  }
  // O_NONBLOCK: a pipe of that name must not hang the program; it makes no difference to files.
  int file = -1;
  do {
    file = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  } while (file < 0 && (errno == EINTR || (errno == EMFILE && raise_file_limit())));
  return file;
}

}  // namespace

class ReadableFile::Descriptor {
 public:
  explicit Descriptor(const std::string& path) : value_(open_for_reading(path)) {
    if (value_ < 0) throw io_error("open", path, errno);
  }
  ~Descriptor() { ::close(value_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int value() const { return value_; }
  struct stat status(const std::string& path) const {
    struct stat found {};
    if (::fstat(value_, &found) != 0) throw io_error("look at", path, errno);
    return found;
  }

 private:
  int value_;
};

ReadableFile::ReadableFile(std::string path)
    : path_(std::move(path)), file_(std::make_shared<const Descriptor>(path_)) {
  const struct stat found = file_->status(path_);
  if (S_ISDIR(found.st_mode)) throw io_error("read", path_, EISDIR);
  if (!S_ISREG(found.st_mode)) {
    throw IoError(path_ + ": not a regular file but a device or pipe; copy it to a file first",
                  EINVAL);
  }
  size_ = static_cast<uint64_t>(found.st_size);
}

void ReadableFile::read(uint64_t offset, std::span<std::byte> out) const {
  while (!out.empty()) {
    const size_t part = std::min<size_t>(out.size(), size_t{1} << 30);
    const ssize_t count = ::pread(file_->value(), out.data(), part, static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw io_error("read", path_, errno);
    if (count == 0) {
      throw IoError(str(path_, ": ends at byte ", offset, " or before, though it held ",
                        with_commas(static_cast<int64_t>(size_)),
                        " bytes when it was opened: another program cut it; put the file back"),
                    EIO);
    }
    offset += static_cast<uint64_t>(count);
    out = out.subspan(static_cast<size_t>(count));
  }
}

FileStamp ReadableFile::stamp() const {
  const struct stat found = file_->status(path_);
  return {found.st_ctim.tv_sec, found.st_ctim.tv_nsec, static_cast<uint64_t>(found.st_size)};
}

}  // namespace muonlab::base
