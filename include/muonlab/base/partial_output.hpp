// A file or folder in the making: it gets its name only once it is complete.
#pragma once

#include <optional>
#include <string>

#include "muonlab/base/lock.hpp"

namespace muonlab::base {

// What is made lies in the folder NAME.partial, beside NAME and so on the same file system. One
// process at a time holds that folder. What an interrupted process left there is removed; a
// NAME.partial that muonlab did not make is refused and stays as it is.
class PartialOutput {
 public:
  enum class Existing {
    refused,  // but an empty folder, which the new one replaces
    replaced  // by the new one, once that is complete
  };

  // Throws Error for a NAME.partial that is not ours, and where NAME is a folder that can never be
  // replaced: the current one, or one on which another file system is mounted. Throws InUse where
  // another process makes the same output.
  explicit PartialOutput(const std::string& name, Existing existing = Existing::refused);
  ~PartialOutput();  // removes what was not published
  PartialOutput(const PartialOutput&) = delete;
  PartialOutput& operator=(const PartialOutput&) = delete;

  // Where to make the file or folder; nothing is there yet. Whoever writes a file there syncs it.
  const std::string& path() const { return path_; }
  // Gives path(), or `made` inside it, its name, durably. Where that fails the work is not lost: it
  // stays, and the Error says where.
  void publish() { publish(path_); }
  void publish(const std::string& made);

 private:
  void move_into_place(const std::string& made);
  void remove_mark();
  void remove_all() noexcept;

  std::string name_, folder_, path_, replaced_;
  Existing existing_;
  std::optional<FileLock> lock_;
  bool keeps_ = false;
};

}  // namespace muonlab::base
