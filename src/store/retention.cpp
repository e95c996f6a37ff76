#include "muonlab/store/retention.hpp"

#include "store/checkpoint_names.hpp"

namespace muonlab::store {

std::vector<int64_t> prune(const std::string& folder, int64_t keep, int64_t permanent_every,
                           std::optional<int64_t> best_step, base::FileSystem& files) {
  base::check(keep >= 1, "retention would keep no checkpoint");
  const std::vector<CheckpointEntry> entries = list_checkpoints(folder, files);
  size_t oldest_kept = entries.size();
  for (int64_t good = 0; good < keep && oldest_kept > 0;) {
    --oldest_kept;
    if (verify_checkpoint(entries[oldest_kept].path, files).empty()) ++good;
    if (oldest_kept == 0 && good < keep) return {};
  }

  std::vector<int64_t> removed;
  std::vector<std::string> doomed;
  for (size_t i = 0; i < oldest_kept; ++i) {
    const int64_t step = entries[i].step;
    const bool permanent = permanent_every > 0 && step % permanent_every == 0;
    if (permanent || step == best_step) continue;
    // Out of sight in one atomic step, so that no half-removed folder is ever taken for a
    // checkpoint.
    doomed.push_back(base::join_path(folder, step_name(kRemoving, step)));
    base::remove_tree(doomed.back(), files);
    files.rename(entries[i].path, doomed.back());
    removed.push_back(step);
  }
  if (doomed.empty()) return {};
  files.sync_directory(folder);
  for (const std::string& path : doomed) base::remove_tree(path, files);
  return removed;
}

}  // namespace muonlab::store
