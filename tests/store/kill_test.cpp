// A real process on the real file system, killed for real in the middle of saving.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "muonlab/base/clock.hpp"
#include "muonlab/base/philox.hpp"
#include "muonlab/store/retention.hpp"
#include "store/small_checkpoint.hpp"

namespace muonlab::store {
namespace {

constexpr size_t kValues = 20000;

// Saves one checkpoint after the other until it is killed.
[[noreturn]] void save_for_ever(const std::string& folder, int64_t next) {
  try {
    for (int64_t step = next;; ++step) {
      save_small(base::real_file_system(), folder, step, kValues);
      prune(folder, 2, 0);
    }
  } catch (...) {
    ::_exit(3);
  }
}

void kill_and_look(int rounds) {
  const base::TemporaryFolder folder;
  const std::string checkpoints = folder / "checkpoints";
  const base::Philox random(1, base::Purpose::test);
  const base::Stopwatch watch;
  save_small(base::real_file_system(), checkpoints, 1, kValues);
  const double window_us = std::min(300e3, 2e6 * watch.seconds());
  int64_t newest = 1;
  int inside_a_save = 0;
  for (int round = 0; round < rounds; ++round) {
    const pid_t child = ::fork();
    if (child == 0) save_for_ever(checkpoints, newest + 1);
    ::usleep(static_cast<useconds_t>(window_us * random.uniform(static_cast<uint64_t>(round))));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child failed by itself";
    for (const std::string& name : base::real_file_system().list(checkpoints)) {
      inside_a_save += name.starts_with(".saving-");
    }
    std::vector<std::string> warnings;
    const auto found =
        newest_good(checkpoints, [&](const std::string& text) { warnings.push_back(text); });
    EXPECT_TRUE(warnings.empty()) << warnings[0];
    ASSERT_TRUE(found);
    ASSERT_GE(found->step, newest);
    newest = found->step;
    const Checkpoint checkpoint(found->path);
    EXPECT_EQ(checkpoint.step(), newest);
    const SafetensorsFile model = checkpoint.safetensors("model.safetensors");
    const std::vector<float> values = small_values(newest, kValues);
    const auto expected = std::as_bytes(std::span(values));
    const auto& read = model.at("w").bytes;
    ASSERT_TRUE(std::equal(read.begin(), read.end(), expected.begin(), expected.end()));
  }
  EXPECT_GT(inside_a_save, rounds / 5);
}

TEST(Kill, FiftyTimesNothingIsLost) { kill_and_look(50); }

TEST(KillSlow, AThousandTimesNothingIsLost) { kill_and_look(1000); }

TEST(RealCheckpoint, IsAFolderWithDocumentedFiles) {
  const base::TemporaryFolder folder;
  save_small(base::real_file_system(), folder / "checkpoints", 7);
  const std::string path = folder / "checkpoints/step-00000007";
  EXPECT_EQ(verify_checkpoint(path), "");
  const Checkpoint checkpoint(path);
  EXPECT_EQ(checkpoint.names(),
            (std::vector<std::string>{"config.json", "model.safetensors", "optimizer.safetensors",
                                      "trainer.json"}));
  EXPECT_EQ(checkpoint.read("trainer.json"), "{\"step\": 7, \"variant\": 0}\n");
  EXPECT_EQ(base::error_of([&] { checkpoint.read("weights.bin"); }),
            path +
                ": holds no weights.bin, only config.json, model.safetensors, "
                "optimizer.safetensors, trainer.json");
  EXPECT_GT(checkpoint.bytes(), 400u);

  const std::string manifest = base::read_text(path + "/manifest.json");
  const size_t last = manifest.rfind('\n', manifest.size() - 2) + 1;
  EXPECT_EQ(manifest.substr(last), "\"manifest_xxh3_128\": \"" +
                                       base::hash_text(manifest.substr(0, last)).hex() + "\"}\n");
  base::write_atomically(path + "/config.json", "{}");
  EXPECT_EQ(base::error_of([&] { Checkpoint damaged(path); }),
            path + ": config.json has 2 bytes instead of 40; choose another checkpoint");
}

}  // namespace
}  // namespace muonlab::store
