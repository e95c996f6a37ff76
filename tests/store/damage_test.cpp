// Damaged checkpoints are found, named, and stepped over.
#include <functional>

#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "muonlab/store/retention.hpp"
#include "store/simulated_disk.hpp"
#include "store/small_checkpoint.hpp"

namespace muonlab::store {
namespace {

std::vector<std::string> files_of(SimulatedDisk& disk, int64_t step) {
  return disk.list(path_of(step));
}

// Flips each bit of every file of a checkpoint whose model holds `count` floats. Returns how many
// were tried.
size_t flip_every_bit(size_t count) {
  SimulatedDisk disk;
  save_small(disk, kFolder, 1, count);
  size_t flips = 0, missed = 0;
  for (const std::string& name : files_of(disk, 1)) {
    std::string& data = disk.contents(base::join_path(path_of(1), name));
    for (size_t bit = 0; bit < data.size() * 8; ++bit) {
      data[bit / 8] = static_cast<char>(data[bit / 8] ^ 1 << bit % 8);
      missed += verify_checkpoint(path_of(1), disk).empty();
      data[bit / 8] = static_cast<char>(data[bit / 8] ^ 1 << bit % 8);
      ++flips;
    }
  }
  EXPECT_EQ(missed, 0u);
  EXPECT_EQ(verify_checkpoint(path_of(1), disk), "");
  return flips;
}

TEST(Damage, EveryBitOfASmallCheckpoint) { EXPECT_GT(flip_every_bit(540), 40'000u); }

TEST(DamageSlow, EveryBitOf64KiB) { EXPECT_GT(flip_every_bit(8200), 524'288u); }

TEST(Damage, EveryLengthAndManyTails) {
  SimulatedDisk disk;
  save_small(disk, kFolder, 1, 500);
  for (const std::string& name : files_of(disk, 1)) {
    std::string& data = disk.contents(base::join_path(path_of(1), name));
    const std::string whole = data;
    for (size_t length = 0; length < whole.size(); ++length) {
      data = whole.substr(0, length);
      EXPECT_NE(verify_checkpoint(path_of(1), disk), "") << name << " cut to " << length;
    }
    for (size_t extra = 1; extra <= 200; ++extra) {
      data = whole + std::string(extra, extra % 2 ? '\0' : ' ');
      EXPECT_NE(verify_checkpoint(path_of(1), disk), "") << name << " grown by " << extra;
    }
    data = whole;
  }
  EXPECT_EQ(verify_checkpoint(path_of(1), disk), "");
}

TEST(Damage, HasAReasonInWords) {
  SimulatedDisk disk;
  save_small(disk, kFolder, 1);
  const auto reason = [&](const std::function<void(SimulatedDisk&)>& damage) {
    SimulatedDisk copy = disk.copy();
    damage(copy);
    return verify_checkpoint(path_of(1), copy);
  };
  const std::string model = path_of(1) + "/model.safetensors",
                    manifest = path_of(1) + "/manifest.json";
  EXPECT_EQ(reason([&](auto& d) { d.contents(model).back() ^= 1; }),
            "model.safetensors does not match its hash");
  EXPECT_EQ(reason([&](auto& d) { d.contents(model) += 'x'; }),
            base::str("model.safetensors has ", disk.size(model) + 1, " bytes instead of ",
                      disk.size(model)));
  EXPECT_EQ(reason([&](auto& d) { d.remove_file(model); }), "model.safetensors is missing");
  EXPECT_EQ(reason([&](auto& d) { d.remove_file(manifest); }), "manifest.json is missing");
  EXPECT_EQ(reason([&](auto& d) { d.contents(manifest)[20] ^= 1; }),
            "manifest.json does not match its hash");
  EXPECT_EQ(reason([&](auto& d) { d.contents(manifest).clear(); }), "manifest.json is cut off");
  disk.rename(path_of(1), path_of(2));
  EXPECT_EQ(verify_checkpoint(path_of(2), disk), "manifest.json is of step 1");
}

// Damages the newest `damaged` of five; the best of the rest is used and each damaged one is named.
TEST(Damage, TheNewestGoodOneIsUsed) {
  for (int64_t damaged = 0; damaged <= 5; ++damaged) {
    SimulatedDisk disk;
    for (int64_t step = 1; step <= 5; ++step) save_small(disk, kFolder, step);
    for (int64_t step = 6 - damaged; step <= 5; ++step)
      disk.contents(path_of(step) + "/model.safetensors")[90] ^= 4;
    std::vector<std::string> warnings;
    const auto warn = [&](const std::string& text) { warnings.push_back(text); };
    if (damaged == 5) {
      const std::string message = base::error_of([&] { newest_good(kFolder, warn, disk); });
      EXPECT_NE(message.find("no checkpoint here is good (5 of 5 damaged or not finite)"),
                std::string::npos)
          << message;
      EXPECT_NE(message.find("step-00000001: model.safetensors does not match its hash"),
                std::string::npos);
      EXPECT_TRUE(warnings.empty());
      continue;
    }
    EXPECT_EQ(newest_good(kFolder, warn, disk)->step, 5 - damaged);
    ASSERT_EQ(warnings.size(), static_cast<size_t>(damaged));
    if (damaged == 2) {
      EXPECT_EQ(warnings[0],
                "runs/a/checkpoints/step-00000005: model.safetensors does not match its hash; "
                "using step-00000003 instead");
    }
  }
}

TEST(Damage, NoneIsNotDamaged) {
  SimulatedDisk disk;
  EXPECT_FALSE(newest_good(kFolder, {}, disk));
  base::make_directories(kFolder, disk);
  EXPECT_FALSE(newest_good(kFolder, {}, disk));
}

TEST(Damage, AnEmptyFolderOfTheNameStopsTheRunInsteadOfStartingOver) {
  SimulatedDisk disk;
  base::make_directories(path_of(7), disk);
  EXPECT_NE(base::error_of([&] { newest_good(kFolder, {}, disk); }), "");
}

TEST(Damage, AForgedManifestNamesNoFileElsewhere) {
  SimulatedDisk disk;
  save_small(disk, kFolder, 1);
  const std::string manifest = path_of(1) + "/manifest.json";
  const std::string text = disk.contents(manifest);
  // A hash that fits does not make these right.
  const auto forge = [&](const std::string& from, const std::string& to) {
    std::string forged = text.substr(0, text.rfind("\"manifest_xxh3_128\""));
    forged.replace(forged.find(from), from.size(), to);
    forged += "\"manifest_xxh3_128\": \"" + base::hash_text(forged).hex() + "\"}\n";
    disk.contents(manifest) = forged;
    return verify_checkpoint(path_of(1), disk);
  };
  EXPECT_EQ(forge("\"step\"", "\"step\""), "");
  EXPECT_EQ(forge("config.json", "../config"), "manifest.json has a bad entry for a file");
  EXPECT_EQ(forge("config.json", "/etc/passwd"), "manifest.json has a bad entry for a file");
  EXPECT_EQ(forge("config.json", "manifest.json"), "manifest.json has a bad entry for a file");
  EXPECT_EQ(forge("\"step\": 1", "\"step\": -1"), "manifest.json was not written by muonlab");
  EXPECT_EQ(forge("\"step\": 1", "\"step\": \"1\""), "manifest.json was not written by muonlab");
  EXPECT_EQ(forge("\"step\": 1", "\"step\":  1"), "manifest.json was not written by muonlab");
  EXPECT_EQ(forge("\"step\": 1", "\"step\": 1, \"step\": 1"),
            "manifest.json was not written by muonlab");
  EXPECT_EQ(forge("{", "[[[["), "manifest.json was not written by muonlab");
  EXPECT_EQ(forge("\"format\": 1", "\"format\": 2").find("manifest.json has format version 2"), 0u);
}

}  // namespace
}  // namespace muonlab::store
