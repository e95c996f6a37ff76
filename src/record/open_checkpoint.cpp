#include "muonlab/record/open_checkpoint.hpp"

#include <charconv>

#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/log.hpp"
#include "muonlab/base/usage_error.hpp"
#include "muonlab/record/run_folder.hpp"
#include "muonlab/store/weight_files.hpp"

namespace muonlab::record {

store::Checkpoint open_checkpoint(const std::string& run_or_checkpoint) {
  base::FileSystem& files = base::real_file_system();
  if (files.exists(base::join_path(run_or_checkpoint, "manifest.json")))
    return store::Checkpoint(run_or_checkpoint);

  std::string path = run_or_checkpoint;
  int64_t step = -1;
  if (const size_t at = path.rfind('@'); at != std::string::npos && !files.exists(path)) {
    const char* end = path.data() + path.size();
    const auto [stop, fault] = std::from_chars(path.data() + at + 1, end, step);
    if (fault != std::errc() || stop != end || step < 0) {
      throw base::UsageError(run_or_checkpoint, ": after @ comes a step, as in runs/base@200");
    }
    path.resize(at);
  }
  const RunFolder folder(path);
  if (!files.exists(path))
    throw base::Error(path, ": no such run or checkpoint. `muonlab runs` lists the runs here.");
  if (step < 0) {
    auto newest = store::open_newest_good(folder.checkpoints(),
                                          [](const auto& text) { base::log_warning(text); });
    if (newest) return std::move(*newest);
    if (store::has_weight_files(path)) {
      throw base::Error(path, ": is a model's folder, not a run's: it holds weights without the ",
                        "training state that this needs. init.from starts a run with its weights");
    }
    throw base::Error(path, ": holds no checkpoint");
  }
  std::string known;
  for (const store::CheckpointEntry& entry : store::list_checkpoints(folder.checkpoints())) {
    if (entry.step == step) return store::Checkpoint(entry.path);
    known += base::str(known.empty() ? "" : ", ", entry.step);
  }
  throw base::Error(path, ": holds no checkpoint of step ", step,
                    "; steps there: ", known.empty() ? "none" : known);
}

}  // namespace muonlab::record
