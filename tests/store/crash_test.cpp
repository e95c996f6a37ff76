// The machine stops after every single operation of a save and the retention that follows it, and
// loses what was not synced in seven ways: always a checkpoint can be loaded, and it is the old one
// or the new one to the byte.
#include <algorithm>
#include <functional>

#include <gtest/gtest.h>

#include "muonlab/store/retention.hpp"
#include "store/simulated_disk.hpp"
#include "store/small_checkpoint.hpp"

namespace muonlab::store {
namespace {

using Contents = std::map<std::string, std::string>;

struct Scenario {
  SimulatedDisk before;                            // durable
  std::function<void(base::FileSystem&)> work;     // the save (and retention) under test
  std::vector<std::pair<int64_t, Contents>> good;  // what may be found afterwards
  bool may_be_empty = false;
  int64_t least_good = 0;  // checkpoints that must be whole at any time
};

Contents small_contents(int64_t step, int64_t variant = 0) {
  SimulatedDisk disk;
  save_small(disk, kFolder, step, 24, variant);
  return contents_of(disk, base::join_path(kFolder, checkpoint_name(step)));
}

int64_t count_good(base::FileSystem& files) {
  int64_t good = 0;
  for (const CheckpointEntry& entry : list_checkpoints(kFolder, files)) {
    good += verify_checkpoint(entry.path, files).empty();
  }
  return good;
}

void expect_old_or_new(SimulatedDisk& disk, const Scenario& scenario) {
  const auto found = newest_good(kFolder, {}, disk);
  if (!found) {
    EXPECT_TRUE(scenario.may_be_empty);
  } else {
    const std::pair<int64_t, Contents> got{found->step, contents_of(disk, found->path)};
    EXPECT_NE(std::find(scenario.good.begin(), scenario.good.end(), got), scenario.good.end())
        << "step " << found->step << " with other bytes";
  }
  EXPECT_GE(count_good(disk), scenario.least_good);
}

// Afterwards the run goes on: the next save works and leaves nothing but checkpoints.
void expect_goes_on(SimulatedDisk& disk) {
  save_small(disk, kFolder, 900);
  prune(kFolder, 1, 0, {}, disk);
  EXPECT_EQ(disk.list(kFolder), std::vector<std::string>{"step-00000900"});
  EXPECT_EQ(contents_of(disk, base::join_path(kFolder, "step-00000900")), small_contents(900));
}

int crash_everywhere(const Scenario& scenario) {
  int states = 0;
  SimulatedDisk whole = scenario.before.copy();
  scenario.work(whole);
  const int operations = whole.operations();
  for (int stop = 0; stop <= operations; ++stop) {
    SimulatedDisk disk = scenario.before.copy();
    disk.crash_after(stop);
    try {
      scenario.work(disk);
      EXPECT_EQ(stop, operations);
    } catch (const Crash&) {
    }
    for (const Loss loss : kLosses) {
      for (uint64_t seed = 0; seed < (is_random(loss) ? 10u : 1u); ++seed) {
        SCOPED_TRACE(base::str("stopped after ", stop, " of ", operations,
                               " operations, loss model ", static_cast<int>(loss), ", seed ",
                               seed));
        SimulatedDisk found = disk.after_crash(loss, seed);
        expect_old_or_new(found, scenario);
        expect_goes_on(found);
        ++states;
        if (testing::Test::HasFailure()) return states;
      }
    }
  }
  return states;
}

TEST(CrashPoints, SaveAndRetention) {
  Scenario scenario;
  save_small(scenario.before, kFolder, 100);
  save_small(scenario.before, kFolder, 200);
  scenario.work = [](base::FileSystem& files) {
    save_small(files, kFolder, 300);
    EXPECT_EQ(prune(kFolder, 2, 0, {}, files), std::vector<int64_t>{100});
  };
  scenario.good = {{200, small_contents(200)}, {300, small_contents(300)}};
  scenario.least_good = 2;
  EXPECT_GT(crash_everywhere(scenario), 2000);
}

TEST(CrashPoints, FirstSave) {
  Scenario scenario;
  scenario.work = [](base::FileSystem& files) { save_small(files, kFolder, 100); };
  scenario.good = {{100, small_contents(100)}};
  scenario.may_be_empty = true;
  EXPECT_GT(crash_everywhere(scenario), 500);
}

TEST(CrashPoints, ReplacingAGoodOne) {
  Scenario scenario;
  save_small(scenario.before, kFolder, 300);
  scenario.work = [](base::FileSystem& files) { save_small(files, kFolder, 300, 24, 7); };
  scenario.good = {{300, small_contents(300)}, {300, small_contents(300, 7)}};
  scenario.least_good = 1;
  EXPECT_GT(crash_everywhere(scenario), 500);
}

TEST(CrashPoints, ReplacingADamagedOne) {
  Scenario scenario;
  save_small(scenario.before, kFolder, 200);
  save_small(scenario.before, kFolder, 300);
  scenario.before.contents(base::join_path(kFolder, "step-00000300/model.safetensors"))[200] ^= 1;
  scenario.before = scenario.before.copy();
  scenario.work = [](base::FileSystem& files) { save_small(files, kFolder, 300); };
  scenario.good = {{200, small_contents(200)}, {300, small_contents(300)}};
  scenario.least_good = 1;
  EXPECT_GT(crash_everywhere(scenario), 500);
}

TEST(CrashPoints, LargeRetentionWithPermanentOnes) {
  Scenario scenario;
  for (int64_t step = 1; step <= 5; ++step) save_small(scenario.before, kFolder, step);
  scenario.work = [](base::FileSystem& files) {
    save_small(files, kFolder, 6);
    EXPECT_EQ(prune(kFolder, 1, 4, 2, files), (std::vector<int64_t>{1, 3, 5}));
  };
  scenario.good = {{5, small_contents(5)}, {6, small_contents(6)}};
  scenario.least_good = 3;
  EXPECT_GT(crash_everywhere(scenario), 2000);
}

// Recovery itself may be interrupted, again and again.
TEST(CrashPoints, AgainAndAgain) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    SimulatedDisk disk;
    save_small(disk, kFolder, 1);
    int64_t newest = 1;
    const base::Philox random(seed, base::Purpose::test);
    for (uint64_t round = 0; round < 12; ++round) {
      disk.crash_after(static_cast<int>(random.below(2 * round, 110)));
      try {
        for (;;) {
          save_small(disk, kFolder, newest + 1);
          ++newest;
          prune(kFolder, 2, 0, {}, disk);
        }
      } catch (const Crash&) {
      }
      disk = disk.after_crash(kLosses[random.below(2 * round + 1, std::size(kLosses))],
                              seed * 100 + round);
      const auto found = newest_good(kFolder, {}, disk);
      ASSERT_TRUE(found);
      ASSERT_GE(found->step, newest);  // what commit() returned for is never lost
      ASSERT_LE(found->step, newest + 1);
      ASSERT_EQ(contents_of(disk, found->path), small_contents(found->step));
      newest = found->step;
    }
  }
}

// The simulation must be able to fail: whichever sync of a save is forgotten, some crash shows it.
TEST(CrashPoints, EverySyncOfASaveIsNeeded) {
  SimulatedDisk before;
  save_small(before, kFolder, 1);
  SimulatedDisk whole = before.copy();
  save_small(whole, kFolder, 2);
  const int syncs = whole.syncs();
  EXPECT_EQ(syncs, 4 + 1 + 1 + 1);  // files, manifest, temporary folder, folder of checkpoints
  for (int forgotten = 0; forgotten < syncs; ++forgotten) {
    SimulatedDisk disk = before.copy();
    disk.forget_sync(forgotten);
    save_small(disk, kFolder, 2);
    int lost = 0;
    for (const Loss loss : kLosses) {
      SimulatedDisk found = disk.after_crash(loss, 1);
      const auto newest = newest_good(kFolder, {}, found);
      lost += !newest || newest->step != 2 || contents_of(found, newest->path) != small_contents(2);
    }
    EXPECT_GT(lost, 0) << "sync " << forgotten << " makes no difference";
  }
}

}  // namespace
}  // namespace muonlab::store
