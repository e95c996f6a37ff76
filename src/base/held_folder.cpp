#include "muonlab/base/held_folder.hpp"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/posix_file_system.hpp"

namespace muonlab::base {
namespace {

Descriptor open_folder(const std::string& path) {
  Descriptor folder(uninterrupted(
      [&] { return ::open(checked_path(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (folder.value() < 0) throw io_error("open the folder", path, errno);
  return folder;
}

// Paths below a folder, each walked from the folder's descriptor name by name.
class FolderFileSystem final : public PosixFileSystem {
 public:
  FolderFileSystem(std::string path, int folder) : path_(std::move(path)), folder_(folder) {}

  uint64_t free_space(const std::string&) override {
    struct statvfs found {};
    if (::fstatvfs(folder_, &found) != 0) throw io_error("ask the free space", path_, errno);
    return static_cast<uint64_t>(found.f_bavail) * found.f_frsize;
  }

 protected:
  Spot spot(std::string_view operation, const std::string& path) const override {
    checked_path(path);
    check(path.starts_with(path_) && (path.size() == path_.size() || path[path_.size()] == '/'),
          path + " is not in the folder " + path_);
    std::string_view rest = std::string_view(path).substr(path_.size());
    Spot at{path_, {}, folder_, ".", false};
    while (true) {
      while (rest.starts_with('/')) rest.remove_prefix(1);
      if (rest.empty()) break;
      const std::string_view name = rest.substr(0, rest.find('/'));
      rest.remove_prefix(name.size());
      check(name != "..", path + " climbs out of the folder " + path_);
      if (at.name != ".") enter(operation, at);
      at.name = name;
      at.path = join_path(at.path, name);
    }
    at.path = path;
    return at;
  }

 private:
  static void enter(std::string_view operation, Spot& at) {
    Descriptor next(uninterrupted([&] {
      return ::openat(at.folder, at.name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }));
    if (next.value() < 0) throw spot_error(operation, at, errno);
    at.folder = next.value();
    at.opened = std::move(next);
  }

  std::string path_;
  int folder_;
};

}  // namespace

struct HeldFolder::Held {
  Held(std::string path, const std::string& lock, const std::string& what, LockMode mode)
      : path(std::move(path)),
        lock_name(lock),
        folder(open_folder(this->path)),
        lock(folder.value(), lock_name, join_path(this->path, lock_name), what, mode),
        files(this->path, folder.value()) {}

  std::string path, lock_name;
  Descriptor folder;
  FileLock lock;
  FolderFileSystem files;
};

HeldFolder::HeldFolder(std::string path, const std::string& lock_name, const std::string& what,
                       LockMode mode) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  held_ = std::make_unique<Held>(std::move(path), lock_name, what, mode);
}

HeldFolder::~HeldFolder() = default;

FileSystem& HeldFolder::files() const { return held_->files; }

void HeldFolder::share() { held_->lock.share(); }

const std::string& HeldFolder::path() const { return held_->path; }

HeldFolder::State HeldFolder::state() const {
  const std::string path = join_path(held_->path, held_->lock_name);
  if (held_->lock.is_at(AT_FDCWD, path)) return State::in_place;
  // A network that does not answer is no sign of a move.
  if (errno != 0 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP) return State::in_place;
  if (held_->lock.is_at(held_->folder.value(), held_->lock_name)) return State::moved;
  struct stat folder {};
  const bool gone = ::fstat(held_->folder.value(), &folder) == 0 && folder.st_nlink == 0;
  return gone ? State::removed : State::unlocked;
}

std::string HeldFolder::current_path() const {
  std::string path(4096, '\0');
  const std::string link = str("/proc/self/fd/", held_->folder.value());
  const ssize_t length = ::readlink(link.c_str(), path.data(), path.size());
  path.resize(length > 0 ? static_cast<size_t>(length) : 0);
  return path.ends_with(" (deleted)") ? "" : path;
}

std::string HeldFolder::describe(State state) const {
  switch (state) {
    case State::in_place: return "";
    case State::moved: {
      const std::string now = current_path();
      return str("the folder ", held_->path, " was moved while it was in use",
                 now.empty() ? "" : "; it is now " + now);
    }
    case State::removed: return str("the folder ", held_->path, " was removed while it was in use");
    case State::unlocked:
      return str(join_path(held_->path, held_->lock_name),
                 " was removed or replaced while it was in use, so that another process may write "
                 "to the folder");
  }
  return "";
}

}  // namespace muonlab::base
