#include "study/sweep/queue.hpp"

#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "muonlab/base/exit_code.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/lock.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/record/run_folder.hpp"

namespace muonlab::study {
namespace {

constexpr const char* kTinyBase = R"({"threads": 1, "train": {"steps": 10}})";
constexpr const char* kSweep =
    R"({"base": "base.json", "axes": {"row": {"a": {}, "b": {"train.batch": 8}}}})";

// A sweep of two cells, a-s1 and b-s1.
class Queue {
 public:
  explicit Queue(bool redo_changed = false) : redo_changed_(redo_changed) {
    base::write_atomically(scratch_ / "base.json", kTinyBase);
    base::write_atomically(scratch_ / "sweep.json", kSweep);
    for (const char* cell : {"a-s1", "b-s1"}) base::make_directories(folder().cell(cell));
    base::make_directories(folder().failures());
    base::make_directories(folder().claims());
  }
  SweepFolder folder() const { return SweepFolder(scratch_ / "out"); }
  record::RunFolder run(const std::string& cell) const {
    return record::RunFolder(folder().cell(cell));
  }
  SweepQueue& queue() {
    if (!queue_) queue_.emplace(another());
    return *queue_;
  }
  // Of another sweep that works on the same folder.
  SweepQueue another() const {
    SweepQueue queue(SweepPlanner(config::load_sweep(scratch_ / "sweep.json")), folder(), "",
                     redo_changed_);
    queue.refresh();
    return queue;
  }

 private:
  base::TemporaryFolder scratch_;
  bool redo_changed_;
  std::optional<SweepQueue> queue_;
};

std::string next_name(SweepQueue& queue) {
  const std::optional<Cell> cell = queue.next();
  return cell ? cell->name : "";
}

TEST(SweepQueue, ARunOfOtherSettingsIsMovedAsideOnlyWhenNobodyTrainsIt) {
  Queue sweep(/*redo_changed=*/true);
  base::write_atomically(sweep.run("a-s1").config(), R"({"threads": 1, "train": {"steps": 99}})");
  {
    const base::FileLock trains(sweep.run("a-s1").lock(), "the run");
    EXPECT_EQ(next_name(sweep.queue()), "b-s1");
    EXPECT_TRUE(base::real_file_system().exists(sweep.run("a-s1").config()));
    EXPECT_FALSE(sweep.queue().changes(sweep.queue().plan().cells[0]).empty());
  }
  Queue again(/*redo_changed=*/true);
  base::write_atomically(again.run("a-s1").config(), R"({"threads": 1, "train": {"steps": 99}})");
  EXPECT_EQ(next_name(again.queue()), "a-s1");
  EXPECT_FALSE(base::real_file_system().exists(again.run("a-s1").path()));
  EXPECT_TRUE(base::real_file_system().exists(again.folder().cell("a-s1.old-1") + "/config.json"));
}

// An orphan of an earlier sweep was first: the cell is not failed, but waits for it.
TEST(SweepQueue, ACellThatAnotherProcessHasWaitsAndIsStartedAgain) {
  Queue sweep;
  SweepQueue& queue = sweep.queue();
  const Cell cell = *queue.next();
  EXPECT_EQ(cell.name, "a-s1");
  queue.started(cell);
  {
    const base::FileLock orphan(sweep.run("a-s1").lock(), "the run");
    EXPECT_EQ(queue.ended(cell, base::exit_code::kInUse).state, CellState::running);
    EXPECT_FALSE(base::real_file_system().exists(sweep.folder().failure("a-s1")));
    EXPECT_EQ(next_name(queue), "b-s1");
  }
  queue.look_around();
  EXPECT_EQ(next_name(queue), "a-s1");
}

TEST(SweepQueue, SweepsOfOneFolderDivideTheCells) {
  Queue sweep;
  SweepQueue& one = sweep.queue();
  SweepQueue other = sweep.another();
  const Cell cell = *one.next();
  EXPECT_EQ(cell.name, "a-s1");
  EXPECT_EQ(next_name(other), "b-s1");
  EXPECT_EQ(other.status(cell).state, CellState::running);
  // The first one leaves it, as by a signal: the other one takes it.
  one.started(cell);
  one.stopped(cell);
  EXPECT_FALSE(base::real_file_system().exists(sweep.folder().claim("a-s1")));
  other.look_around();
  EXPECT_EQ(next_name(other), "a-s1");
}

TEST(SweepQueue, ACellThatFailedInAnotherSweepIsNotTriedAgainAtOnce) {
  Queue sweep;
  SweepQueue& one = sweep.queue();
  SweepQueue other = sweep.another();
  EXPECT_EQ(other.status(other.plan().cells[0]).state, CellState::queued);
  const Cell cell = *one.next();
  one.started(cell);
  one.ended(cell, 1);
  EXPECT_EQ(next_name(other), "b-s1");
  EXPECT_EQ(other.status(cell).state, CellState::failed);
  SweepQueue later = sweep.another();
  EXPECT_EQ(next_name(later), "a-s1") << "a sweep that begins later tries once more";
}

TEST(SweepQueue, ACellThatAnotherSweepFinishedCountsAsNews) {
  Queue sweep;
  SweepQueue& one = sweep.queue();
  SweepQueue other = sweep.another();
  EXPECT_EQ(other.status(other.plan().cells[0]).state, CellState::queued);
  const Cell cell = *one.next();
  one.started(cell);
  one.ended(cell, base::exit_code::kNotFinite);
  EXPECT_EQ(next_name(other), "b-s1");
  EXPECT_EQ(other.status(cell).state, CellState::diverged);
  EXPECT_TRUE(other.look_around());
  EXPECT_FALSE(other.look_around());
}

TEST(SweepQueue, AFailureIsRememberedWithItsExitCode) {
  Queue sweep;
  SweepQueue& queue = sweep.queue();
  const Cell cell = *queue.next();
  queue.started(cell);
  EXPECT_EQ(queue.ended(cell, 1).state, CellState::failed);
  const std::string record = base::read_text(sweep.folder().failure("a-s1"));
  EXPECT_TRUE(record.starts_with("{\"exit_code\":1,\"host\":")) << record;
  EXPECT_EQ(queue.ended(cell, 3).state, CellState::diverged);
}

// Cells of a version that knew only the first windows say nothing of them.
TEST(SweepCell, ASweepContinuesOnTheWindowsThatItsCellsBeganWith) {
  const auto windows_with = [](const std::vector<std::pair<std::string, std::string>>& cells) {
    Queue sweep;
    for (const auto& [name, eval] : cells) {
      base::make_directories(sweep.folder().cell(name));
      base::write_atomically(sweep.run(name).config(), eval);
    }
    return windows_of(sweep.folder());
  };
  using enum config::EvalWindows;
  EXPECT_EQ(windows_of(SweepFolder("/nowhere")), spread);
  EXPECT_EQ(windows_with({}), spread);
  EXPECT_EQ(windows_with({{"b-s1", R"({"eval": {"samples": 8}})"}}), first);
  EXPECT_EQ(windows_with({{"b-s1", R"({"eval": {"samples": 8, "windows": "spread"}})"}}), spread);
  // What this version adds to such a sweep names them.
  EXPECT_EQ(windows_with({{"a-s1", R"({"eval": {"samples": 8, "windows": "first"}})"},
                          {"b-s1", R"({"eval": {"samples": 8}})"}}),
            first);
}

// Cells of a version before train.reduction added their micro-batches one after another.
TEST(SweepCell, ASweepContinuesInTheOrderOfTheSumThatItsCellsBeganWith) {
  const auto reduction_with = [](const std::string& train) {
    Queue sweep;
    base::write_atomically(sweep.run("a-s1").config(), "{\"train\": " + train + "}");
    return reduction_of(sweep.folder());
  };
  using enum config::Reduction;
  EXPECT_EQ(reduction_of(SweepFolder("/nowhere")), exact);
  EXPECT_EQ(reduction_with(R"({"batch": 8, "micro_batch": 8})"), exact) << "nothing is summed";
  EXPECT_EQ(reduction_with(R"({"batch": 8, "micro_batch": 2})"), fast);
  EXPECT_EQ(reduction_with(R"({"batch": 8, "micro_batch": 2, "reduction": "exact"})"), exact);
  EXPECT_EQ(reduction_with(R"({"batch": 8, "micro_batch": 2, "reduction": "fast"})"), fast);
}

// A finite loss that says nothing about the settings counts like a diverged run in a search.
TEST(SweepCell, ALossThatExplodedOrIsAGuessIsDoubted) {
  CellStatus status;
  status.state = CellState::finished;
  status.val_loss = 149377.0;
  EXPECT_EQ(loss_for_search(status), 149377.0);
  status.doubt = record::LossDoubt::exploded;
  EXPECT_EQ(loss_for_search(status), std::numeric_limits<double>::infinity());
  status.state = CellState::diverged;
  EXPECT_EQ(loss_for_search(status), std::numeric_limits<double>::infinity());
  status.state = CellState::running;
  EXPECT_FALSE(loss_for_search(status).has_value());
}

}  // namespace
}  // namespace muonlab::study
