#include "muonlab/record/listing.hpp"

#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"

namespace muonlab::record {
namespace {

std::string make_run(const std::string& path, const std::string& history) {
  base::make_directories(path);
  base::write_atomically(path + "/resolved.json", "{}");
  base::write_atomically(path + "/plan.json", R"({"steps": 4})");
  base::write_atomically(path + "/metrics.jsonl",
                         "{\"step\":4,\"loss\":2}\n{\"step\":4,\"val_loss\":2.5}\n");
  base::write_atomically(path + "/history.jsonl", history);
  return path;
}

TEST(Listing, ShowsWhatIsToBeKnownOfARun) {
  const base::TemporaryFolder folder;
  make_run(folder / "plain", R"({"event":"end","step":4,"outcome":"finished"})");
  const std::string plain = runs_table(list_runs(folder / ""), 1000);
  EXPECT_NE(plain.find("  finished   4/4  2.0000     2.5000  "), std::string::npos) << plain;
  EXPECT_EQ(plain.find("remark"), std::string::npos) << plain;

  make_run(folder / "bad", R"({"event":"end","step":4,"outcome":"diverged"})");
  make_run(
      folder / "changed",
      R"({"event":"start","step":2,"changes":[{"path":"train.batch","before":"8","after":"16"}]})"
      "\n"
      R"({"event":"end","step":4,"outcome":"finished"})");
  const std::string table = runs_table(list_runs(folder / ""), 1000);
  EXPECT_NE(table.find("changed at step 2: train.batch\n"), std::string::npos) << table;
  EXPECT_NE(table.find("  diverged   4/4       -          -  "), std::string::npos) << table;
}

TEST(Listing, SaysWhatIsNoFolderOfRuns) {
  const base::TemporaryFolder folder;
  base::write_atomically(folder / "base.json", "{}");
  const auto message = [](const std::string& path) {
    try {
      list_runs(path);
    } catch (const base::Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_NE(message(folder / "base.json").find("is a file; name the folder"), std::string::npos);
  EXPECT_NE(message(folder / "none").find("no such folder"), std::string::npos);
}

}  // namespace
}  // namespace muonlab::record
