// A folder that one process writes, held by its descriptor and a lock inside it.
#pragma once

#include <memory>
#include <string>

#include "muonlab/base/file.hpp"
#include "muonlab/base/lock.hpp"

namespace muonlab::base {

// What is written through files() goes into the folder that was opened, wherever it is moved
// meanwhile, and never through a symbolic link inside it. A file inside it that is a hard link is
// replaced by a copy before its bytes change. The folder itself may be reached through links (runs
// -> /big/disk/runs).
class HeldFolder {
 public:
  enum class State {
    in_place,  // the path still leads to it
    moved,     // it is elsewhere and can still be written
    removed,
    unlocked  // its lock was removed or replaced: another process may write to it
  };

  // `path` must exist. Takes the lock `lock_name` inside it without waiting; throws Error naming
  // the holder when another process has it. `what` says what it protects ("the run runs/vo_ffn").
  HeldFolder(std::string path, const std::string& lock_name, const std::string& what,
             LockMode mode = LockMode::alone);
  ~HeldFolder();
  HeldFolder(const HeldFolder&) = delete;
  HeldFolder& operator=(const HeldFolder&) = delete;

  // Takes paths that begin with path(), as the real file system does; any other one is a Bug. What
  // it meets as a link is an IoError that names the link (ELOOP).
  FileSystem& files() const;
  // From now on other processes may hold the folder as well, with LockMode::shared.
  void share();
  const std::string& path() const;

  // Takes about two microseconds, so that it can be asked before every write.
  State state() const;
  // Where the folder is now; empty when that cannot be told.
  std::string current_path() const;
  // "the folder runs/a was moved while it was in use; it is now /home/me/b"; empty in place.
  std::string describe(State state) const;

 private:
  struct Held;
  std::unique_ptr<Held> held_;
};

}  // namespace muonlab::base
