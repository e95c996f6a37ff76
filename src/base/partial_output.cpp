#include "muonlab/base/partial_output.hpp"

#include <sys/stat.h>

#include "muonlab/base/file.hpp"

namespace muonlab::base {
namespace {

// The lock in the folder, and the mark that muonlab made it.
constexpr const char* kMark = ".muonlab-partial";

FileSystem& files() { return real_file_system(); }

std::string without_slash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

void require_name(const std::string& path) {
  const std::string name = base_name(path);
  if (!name.empty() && name != "." && name != ".." && name != "/") return;
  throw Error(path.empty() ? "the output" : path, ": has no name of its own; name a new one");
}

void require_replaceable(const std::string& folder) {
  struct stat found {
  }, other{};
  if (::stat(folder.c_str(), &found) != 0 || !S_ISDIR(found.st_mode)) return;
  if (::stat(".", &other) == 0 && found.st_dev == other.st_dev && found.st_ino == other.st_ino) {
    throw Error(folder,
                ": is the current folder, and an output takes the place of the whole folder; name "
                "a folder inside it");
  }
  if (::stat(parent_path(folder).c_str(), &other) == 0 && found.st_dev != other.st_dev) {
    throw Error(folder,
                ": another file system is mounted there, and an output takes the place of the "
                "whole folder; name a folder inside it");
  }
}

bool is_empty_folder(const std::string& path) {
  return files().is_directory(path) && files().list(path).empty();
}

void require_ours(const std::string& folder) {
  if (!files().exists(folder) || files().exists(join_path(folder, kMark))) return;
  // A process may have been killed after it made the folder and before it marked it.
  if (is_empty_folder(folder)) return;
  throw Error(folder,
              ": is there already, and muonlab, which makes its output under this name first, did "
              "not make it; move it away or name another output");
}

}  // namespace

PartialOutput::PartialOutput(const std::string& name, Existing existing)
    : name_(without_slash(name)),
      folder_(name_ + ".partial"),
      path_(join_path(folder_, base_name(name_))),
      replaced_(join_path(folder_, ".muonlab-replaced")),
      existing_(existing) {
  require_replaceable(name_);
  require_name(name_);
  require_ours(folder_);
  make_directories(folder_);
  lock_.emplace(join_path(folder_, kMark), name_);
  // Killed between the two steps of a replacement: the old one comes back.
  if (files().exists(replaced_) && !files().exists(name_)) files().rename(replaced_, name_);
  for (const std::string& left : files().list(folder_)) {
    if (left != kMark) remove_tree(join_path(folder_, left));
  }
}

PartialOutput::~PartialOutput() {
  if (!keeps_) remove_all();
}

void PartialOutput::publish(const std::string& made) {
  try {
    move_into_place(made);
  } catch (const Error& failure) {
    keeps_ = true;
    remove_mark();  // so that the next command does not take it for a left-over
    throw Error(failure.what(), ". What was made is complete and stays in ", made);
  }
  files().sync_directory(parent_path(name_));
}

void PartialOutput::move_into_place(const std::string& made) {
  const bool present = files().exists(name_) && !is_empty_folder(name_);
  if (present && existing_ == Existing::refused)
    throw Error(name_, ": was made by someone else meanwhile, and is not written over");
  if (files().is_directory(made)) files().sync_directory(made);
  if (present) files().rename(name_, replaced_);
  try {
    files().rename(made, name_);
  } catch (const Error&) {
    if (present) files().rename(replaced_, name_);
    throw;
  }
}

void PartialOutput::remove_mark() { remove_tree(join_path(folder_, kMark)); }

void PartialOutput::remove_all() noexcept {
  try {
    remove_tree(path_);
    remove_tree(replaced_);
    remove_mark();
    lock_.reset();
    files().remove_directory(folder_);  // fails where another process uses it by now
  } catch (const Error&) {              // what failed before is what is told
  }
}

}  // namespace muonlab::base
