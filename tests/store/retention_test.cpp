#include "muonlab/store/retention.hpp"

#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "store/simulated_disk.hpp"
#include "store/small_checkpoint.hpp"

namespace muonlab::store {
namespace {

std::vector<int64_t> steps(SimulatedDisk& disk) {
  std::vector<int64_t> found;
  for (const CheckpointEntry& entry : list_checkpoints(kFolder, disk)) found.push_back(entry.step);
  return found;
}

SimulatedDisk disk_with(const std::vector<int64_t>& saved) {
  SimulatedDisk disk;
  for (const int64_t step : saved) save_small(disk, kFolder, step, 4);
  return disk;
}

void damage(SimulatedDisk& disk, int64_t step) {
  disk.contents(base::join_path(kFolder, checkpoint_name(step)) + "/config.json")[3] ^= 1;
}

using Steps = std::vector<int64_t>;

TEST(Retention, OrdersByNumberNotByText) {
  for (const Steps& saved : {Steps{9, 10}, Steps{999, 1000}, Steps{9999, 10000},
                             Steps{99'999'999, 100'000'000}, Steps{999'999'999, 1'000'000'000}}) {
    SimulatedDisk disk = disk_with({saved[1], saved[0]});
    EXPECT_EQ(steps(disk), saved);
    EXPECT_EQ(newest_good(kFolder, {}, disk)->step, saved[1]);
    EXPECT_EQ(prune(kFolder, 1, 0, {}, disk), Steps{saved[0]});
    EXPECT_EQ(steps(disk), Steps{saved[1]});
  }
}

TEST(Retention, KeepsNewestPermanentAndBest) {
  SimulatedDisk disk = disk_with({0, 50, 100, 150, 200, 250, 300});
  EXPECT_EQ(prune(kFolder, 2, 100, 150, disk), (Steps{50}));
  EXPECT_EQ(steps(disk), (Steps{0, 100, 150, 200, 250, 300}));
  EXPECT_EQ(prune(kFolder, 2, 0, {}, disk), (Steps{0, 100, 150, 200}));
  EXPECT_EQ(steps(disk), (Steps{250, 300}));
  EXPECT_EQ(prune(kFolder, 5, 0, {}, disk), Steps{});
  EXPECT_EQ(prune(kFolder, 1, 0, {}, disk), Steps{250});
  EXPECT_EQ(prune(kFolder, 1, 0, {}, disk), Steps{});
  EXPECT_EQ(steps(disk), Steps{300});
  EXPECT_THROW(prune(kFolder, 0, 0, {}, disk), base::Bug);
}

TEST(Retention, CountsOnlyGoodOnes) {
  SimulatedDisk disk = disk_with({1, 2, 3, 4, 5});
  damage(disk, 5);
  damage(disk, 3);
  EXPECT_EQ(prune(kFolder, 2, 0, {}, disk), Steps{1});  // 4 and 2 are the good ones
  EXPECT_EQ(steps(disk), (Steps{2, 3, 4, 5}));
  damage(disk, 4);
  EXPECT_EQ(prune(kFolder, 2, 0, {}, disk), Steps{});
  EXPECT_EQ(steps(disk), (Steps{2, 3, 4, 5}));
  EXPECT_EQ(newest_good(kFolder, {}, disk)->step, 2);
}

TEST(Retention, ForeignNamesAreNeitherCountedNorTouched) {
  SimulatedDisk disk = disk_with({1, 2});
  for (const char* name : {"step-3", "step-00000004.bak", "step-0000000x", "step-", "notes",
                           "step--0000005", "step-000000006", "Step-00000007"}) {
    disk.make_directory(base::join_path(kFolder, name));
  }
  EXPECT_EQ(steps(disk), (Steps{1, 2}));
  prune(kFolder, 1, 0, {}, disk);
  remove_stale(kFolder, disk);
  EXPECT_EQ(disk.list(kFolder).size(), 9u);
}

TEST(Retention, StaleFoldersAreRemovedAndAReplacedOneComesBack) {
  SimulatedDisk disk = disk_with({1, 2});
  const auto at = [](const char* name) { return base::join_path(kFolder, name); };
  disk.make_directory(at(".saving-00000003"));
  disk.create(at(".saving-00000003/model.safetensors"))->write_text("half");
  disk.make_directory(at(".removing-00000001"));
  disk.rename(at("step-00000002"), at(".replaced-00000002"));
  EXPECT_EQ(newest_good(kFolder, {}, disk)->step, 2);  // even before anything is put right
  EXPECT_EQ(Checkpoint(newest_good(kFolder, {}, disk)->path, disk).step(), 2);
  remove_stale(kFolder, disk);
  EXPECT_EQ(disk.list(kFolder), (std::vector<std::string>{"step-00000001", "step-00000002"}));
}

}  // namespace
}  // namespace muonlab::store
