#include "run_guard.hpp"

#include "muonlab/base/log.hpp"

namespace muonlab::run {
namespace {

using State = base::HeldFolder::State;

[[noreturn]] void end_with(const std::string& message) {
  base::log_note(message);
  throw base::Error(message);
}

}  // namespace

NewFolder::NewFolder(const std::string& path) {
  base::FileSystem& files = base::real_file_system();
  for (std::string at = path; !files.exists(at) && at != "."; at = base::parent_path(at))
    made_.push_back(at);
  base::make_directories(path);
}

NewFolder::~NewFolder() {
  base::FileSystem& files = base::real_file_system();
  try {
    if (!made_.empty()) {
      const record::RunFolder folder(made_.front());
      for (const std::string& file : {folder.lock(), folder.log()}) base::remove_tree(file);
    }
    for (const std::string& path : made_) files.remove_directory(path);
  } catch (const base::Error&) {  // somebody has put something there meanwhile
  }
}

bool RunGuard::may_write() const {
  const State state = held_.state();
  return state == State::in_place || state == State::moved;
}

void RunGuard::check() const {
  const State state = held_.state();
  displaced_ = state != State::in_place;
  if (displaced_ && state != State::moved) end_with(held_.describe(state) + ". " + rescue());
}

void RunGuard::check_place(const std::string& done) const {
  const State state = held_.state();
  if (state != State::moved) return;
  const std::string now = held_.current_path();
  end_with(base::str(held_.describe(state), ". ", done,
                     now.empty() ? "" : ". Resume with: muonlab train --resume " + now));
}

std::string RunGuard::rescue() const {
  base::FileSystem& files = base::real_file_system();
  std::string folder = held_.path() + ".rescued";
  for (int number = 2; files.exists(folder); ++number)
    folder = base::str(held_.path(), ".rescued-", number);
  try {
    files.make_directory(folder);  // not where the folder above is gone as well
    save_in_(record::RunFolder(folder));
    return base::str("The state of the run is saved in ", folder,
                     ", without the record of its earlier steps. Resume with: muonlab train "
                     "--resume ",
                     folder);
  } catch (const base::Error& failure) {
    return base::str("Its state could not be saved in another place either: ", failure.what());
  }
}

}  // namespace muonlab::run
