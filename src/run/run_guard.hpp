// A run's folder that somebody may move or remove while the run trains in it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "muonlab/base/held_folder.hpp"
#include "muonlab/record/run_folder.hpp"

namespace muonlab::run {

// Removes the folders that it made if the start of the run fails, so that a wrong command leaves
// nothing behind.
class NewFolder {
 public:
  explicit NewFolder(const std::string& path);
  ~NewFolder();
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;
  void keep() { made_.clear(); }

 private:
  std::vector<std::string> made_;  // innermost first
};

// A moved folder is still written: the run saves there and ends with an error that says where it
// is. Into a folder that was removed, or whose lock was, nothing is written any more: the state is
// saved in a new run's folder beside it, and the run ends with an error that names it.
class RunGuard {
 public:
  // `save_in` writes the run's present state into a folder, so that it can be resumed there.
  RunGuard(const base::HeldFolder& held, std::function<void(const record::RunFolder&)> save_in)
      : held_(held), save_in_(std::move(save_in)) {}

  base::FileSystem& files() const { return held_.files(); }

  bool may_write() const;
  // Whether the last check() found the folder elsewhere.
  bool displaced() const { return displaced_; }
  // Before a write; throws base::Error where nothing may be written.
  void check() const;
  // After the last save; throws base::Error where the folder was moved. `done`: "The run has
  // finished there".
  void check_place(const std::string& done) const;

 private:
  std::string rescue() const;

  const base::HeldFolder& held_;
  mutable bool displaced_ = false;  // what check() found
  std::function<void(const record::RunFolder&)> save_in_;
};

}  // namespace muonlab::run
