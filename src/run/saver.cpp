#include "saver.hpp"

#include "muonlab/base/clock.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/store/retention.hpp"
#include "muonlab/train/snapshot.hpp"

namespace muonlab::run {
namespace {

bool leaves_optimizers_out(const train::Trainer& trainer) {
  return trainer.config.checkpoint.final == config::FinalCheckpoint::weights &&
         trainer.state.step == trainer.plan.steps;
}

// Which checkpoints stay.
struct Retention {
  int64_t newest, permanent_every;
  std::optional<int64_t> best_step;

  explicit Retention(const train::Trainer& trainer) {
    const config::CheckpointConfig& keep = trainer.config.checkpoint;
    newest = leaves_optimizers_out(trainer) ? 1 : keep.keep;
    permanent_every = keep.permanent_every;
    if (keep.best && trainer.state.best_step >= 0) best_step = trainer.state.best_step;
  }
};

std::string write(const train::Snapshot& snapshot, const Retention& retention,
                  const std::string& folder, base::FileSystem& files) {
  std::string path =
      train::write_snapshot(snapshot, store::CheckpointWriter(files, folder, snapshot.step));
  store::prune(folder, retention.newest, retention.permanent_every, retention.best_step, files);
  return path;
}

}  // namespace

void Saver::begin() {
  base::check(!is_busy(), "a save begins before the one before it was waited for");
  const base::Stopwatch watch;
  auto save = [snapshot = train::copy_state(trainer_, leaves_optimizers_out(trainer_), memory_),
               retention = Retention(trainer_), folder = folder_, &files = files_, watch] {
    std::string path = write(snapshot, retention, folder, files);
    return Saved{std::move(path), watch.seconds()};
  };
  writing_ = std::async(std::launch::async, std::move(save));
}

bool Saver::has_ended() const {
  return writing_.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

std::string save_state(train::Trainer& trainer, const record::RunFolder& folder,
                       base::FileSystem& files) {
  return write(train::view_state(trainer, leaves_optimizers_out(trainer)), Retention(trainer),
               folder.checkpoints(), files);
}

}  // namespace muonlab::run
