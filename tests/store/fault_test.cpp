// Every operation of a save and a removal fails in nine ways, once or for good: an error that a
// person can use, the older checkpoints as they were, nothing left beside them, and the next save
// works.
#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "muonlab/store/retention.hpp"
#include "store/simulated_disk.hpp"
#include "store/small_checkpoint.hpp"

namespace muonlab::store {
namespace {

SimulatedDisk two_checkpoints() {
  SimulatedDisk disk;
  save_small(disk, kFolder, 100);
  save_small(disk, kFolder, 200);
  return disk.copy();
}

void expect_intact(SimulatedDisk& disk, int64_t step) {
  EXPECT_EQ(verify_checkpoint(path_of(step), disk), "") << "step " << step;
}

bool has_hidden(SimulatedDisk& disk) {
  for (const std::string& name : disk.list(kFolder)) {
    if (name.front() == '.') return true;
  }
  return false;
}

int operations_of_a_save() {
  SimulatedDisk disk = two_checkpoints();
  save_small(disk, kFolder, 300);
  return disk.operations();
}

TEST(Faults, OnceAtEveryOperationOfASave) {
  const int operations = operations_of_a_save();
  int failures = 0;
  for (const Fault fault : kFaults) {
    for (int at = 0; at < operations; ++at) {
      SCOPED_TRACE(base::str("fault ", static_cast<int>(fault), " at operation ", at));
      SimulatedDisk disk = two_checkpoints();
      disk.fail(fault, at);
      const std::string message = base::error_of([&] { save_small(disk, kFolder, 300); });
      disk.repair();
      if (!message.empty()) {
        ++failures;
        EXPECT_EQ(message.find("the checkpoint of step 300 was not saved: runs/a/checkpoints"), 0u)
            << message;
        EXPECT_NE(message.find("older checkpoints are as they were"), std::string::npos) << message;
      } else {
        expect_intact(disk, 300);  // the fault hit nothing that matters, such as clearing up
      }
      expect_intact(disk, 100);
      expect_intact(disk, 200);
      EXPECT_TRUE(message.empty() || !has_hidden(disk));
      save_small(disk, kFolder, 300);
      expect_intact(disk, 300);
      EXPECT_FALSE(has_hidden(disk));
      if (HasFailure()) return;
    }
  }
  EXPECT_GT(failures, 6 * (operations - 8));
}

TEST(Faults, LastingFromEveryOperationOn) {
  const int operations = operations_of_a_save();
  for (const Fault fault : {Fault::full_disk, Fault::io, Fault::read_only}) {
    for (int at = 0; at < operations; ++at) {
      SCOPED_TRACE(base::str("fault ", static_cast<int>(fault), " from operation ", at));
      SimulatedDisk disk = two_checkpoints();
      disk.fail(fault, at, true);
      base::error_of([&] { save_small(disk, kFolder, 300); });
      disk.repair();
      expect_intact(disk, 100);
      expect_intact(disk, 200);
      const auto found = newest_good(kFolder, {}, disk);
      ASSERT_TRUE(found);
      EXPECT_GE(found->step, 200);
      save_small(disk, kFolder, 300);
      expect_intact(disk, 300);
      EXPECT_FALSE(has_hidden(disk));
    }
  }
}

TEST(Faults, WhileReplacing) {
  SimulatedDisk counted = two_checkpoints();
  save_small(counted, kFolder, 200, 24, 7);
  for (const Fault fault : {Fault::full_disk, Fault::io, Fault::bad_sync}) {
    for (const bool lasting : {false, true}) {
      for (int at = 0; at < counted.operations(); ++at) {
        SCOPED_TRACE(base::str("fault ", static_cast<int>(fault), " at operation ", at, " lasting ",
                               lasting));
        SimulatedDisk disk = two_checkpoints();
        disk.fail(fault, at, lasting);
        base::error_of([&] { save_small(disk, kFolder, 200, 24, 7); });
        disk.repair();
        const auto found = newest_good(kFolder, {}, disk);
        ASSERT_TRUE(found);
        EXPECT_EQ(found->step, 200);
        save_small(disk, kFolder, 200, 24, 8);
        EXPECT_NE(Checkpoint(path_of(200), disk).read("trainer.json").find("\"variant\": 8"),
                  std::string::npos);
        EXPECT_FALSE(has_hidden(disk));
      }
    }
  }
}

TEST(Faults, InRetentionNothingGoodIsLost) {
  SimulatedDisk counted = two_checkpoints();
  save_small(counted, kFolder, 300);
  SimulatedDisk three = counted.copy();
  prune(kFolder, 1, 0, {}, three);
  for (const Fault fault : kFaults) {
    for (int at = 0; at < three.operations(); ++at) {
      SimulatedDisk disk = counted.copy();
      disk.fail(fault, at);
      base::error_of([&] { prune(kFolder, 1, 0, {}, disk); });
      disk.repair();
      expect_intact(disk, 300);
      prune(kFolder, 1, 0, {}, disk);
      remove_stale(kFolder, disk);
      EXPECT_EQ(disk.list(kFolder), std::vector<std::string>{"step-00000300"});
    }
  }
}

TEST(Faults, AFullDiskIsToldWithBytes) {
  SimulatedDisk disk = two_checkpoints();
  SimulatedDisk counting = two_checkpoints();
  CheckpointWriter dry(counting, kFolder, 300);
  disk.fail(Fault::short_write, 0, true);
  const std::string late = base::error_of([&] {
    CheckpointWriter writer(disk, kFolder, 300);
    writer.add_file("big.bin", std::string(123456, 'x'));
  });
  EXPECT_NE(late.find("runs/a/checkpoints/.saving-00000300/big.bin: cannot write: No space left"),
            std::string::npos)
      << late;
  EXPECT_NE(late.find("big.bin takes 123 kB (123456 bytes)"), std::string::npos) << late;
}

TEST(Faults, AReaderNamesWhatItCannotRead) {
  SimulatedDisk disk = two_checkpoints();
  SimulatedDisk counted = disk.copy();
  verify_checkpoint(path_of(200), counted);
  for (int at = 0; at < counted.operations(); ++at) {
    SimulatedDisk failing = disk.copy();
    failing.fail(Fault::io, at);
    EXPECT_NE(verify_checkpoint(path_of(200), failing).find("cannot be read"), std::string::npos)
        << at;
  }
}

TEST(Faults, WhatIsNotCommittedIsRemoved) {
  SimulatedDisk disk = two_checkpoints();
  {
    CheckpointWriter writer(disk, kFolder, 300);
    writer.add_file("a", "1");
    EXPECT_EQ(writer.bytes(), 1u);
    EXPECT_TRUE(has_hidden(disk));
  }
  EXPECT_FALSE(has_hidden(disk));
  EXPECT_EQ(list_checkpoints(kFolder, disk).size(), 2u);
}

TEST(Faults, MisuseIsABug) {
  SimulatedDisk disk;
  CheckpointWriter writer(disk, kFolder, 1);
  writer.add_file("a", "1");
  EXPECT_THROW(writer.add_file("a", "2"), base::Bug);
  EXPECT_THROW(writer.add_file("../a", "2"), base::Bug);
  EXPECT_THROW(writer.add_file("manifest.json", "2"), base::Bug);
  writer.commit();
  EXPECT_THROW(writer.commit(), base::Bug);
  EXPECT_THROW(writer.add_file("b", "2"), base::Bug);
  EXPECT_THROW(CheckpointWriter(disk, kFolder, -1), base::Bug);
}

}  // namespace
}  // namespace muonlab::store
