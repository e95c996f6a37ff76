// One process at a time: an advisory lock on a file, released by the kernel when the process ends,
// however it ends.
#pragma once

#include <string>

namespace muonlab::base {

class FileLock {
 public:
  // Takes the lock without waiting, creating the file if absent. Throws Error naming the holder's
  // process id when another process holds it; `what` says what it protects ("the run runs/vo_ffn").
  FileLock(const std::string& path, const std::string& what);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

  // Whether some process holds the lock now (false when the file is absent).
  static bool is_held(const std::string& path);

 private:
  int descriptor_ = -1;
};

}  // namespace muonlab::base
