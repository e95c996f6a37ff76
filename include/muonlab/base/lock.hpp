// One process at a time: an advisory lock on a file, released by the kernel when the process ends,
// however it ends.
#pragma once

#include <string>

#include "muonlab/base/error.hpp"

namespace muonlab::base {

// Another process holds the lock.
class InUse : public Error {
 public:
  using Error::Error;
};

enum class LockMode {
  alone,  // one process at a time
  shared  // any number of processes that all ask for `shared`
};

class FileLock {
 public:
  // Takes the lock without waiting, creating the file if absent. Throws InUse naming the holder's
  // process id when another process holds it; `what` says what it protects ("the run runs/vo_ffn").
  // A symbolic link of that name is refused.
  FileLock(const std::string& path, const std::string& what, LockMode mode = LockMode::alone);
  // The same for a name in a folder that is open; messages say `path`.
  FileLock(int folder, const std::string& name, const std::string& path, const std::string& what,
           LockMode mode = LockMode::alone);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

  // From now on processes that ask for a shared lock get it as well.
  void share();

  // Whether the name in the open folder (AT_FDCWD: the path) is still the locked file. Otherwise
  // errno says why it cannot be told, or is 0 where another file is there.
  bool is_at(int folder, const std::string& name) const;

  // Whether some process holds the lock alone now (false when the file is absent).
  static bool is_held(const std::string& path);

 private:
  int descriptor_ = -1;
};

}  // namespace muonlab::base
