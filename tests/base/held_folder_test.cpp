// A folder under attack: moved, removed, and full of links while it is written.
#include "muonlab/base/held_folder.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "muonlab/base/line_file.hpp"
#include "muonlab/base/lock.hpp"
#include "muonlab/base/log.hpp"

namespace muonlab::base {
namespace {

using State = HeldFolder::State;

class HeldFolderTest : public ::testing::Test {
 protected:
  HeldFolderTest() {
    make_directories(run_);
    write_atomically(victim_, "precious");
  }
  std::string in(const std::string& name) const { return join_path(run_, name); }
  // What an action says when it meets a link; the file behind the link must be as it was.
  void expect_refused(const std::string& link, const std::function<void(FileSystem&)>& action) {
    const HeldFolder held(run_, ".lock", "the run");
    const std::string message = error_of([&] { action(held.files()); });
    EXPECT_EQ(message.find(in(link) + ": is a symbolic link to "), 0u) << message;
    EXPECT_EQ(read_text(victim_), "precious");
  }
  void plant(const std::string& name, const std::string& target = "../victim") {
    ASSERT_EQ(::symlink(target.c_str(), in(name).c_str()), 0);
  }

  TemporaryFolder folder_;
  std::string run_ = folder_ / "run", victim_ = folder_ / "victim";
};

TEST_F(HeldFolderTest, DoesWhatTheRealFileSystemDoes) {
  const HeldFolder held(run_ + "//", ".lock", "the run");
  FileSystem& files = held.files();
  EXPECT_EQ(held.path(), run_);
  make_directories(in("a/b"), files);
  write_atomically(in("a/b/file"), "content", files);
  EXPECT_EQ(read_text(in("a/b/file")), "content");
  EXPECT_EQ(read_text(in("a/b/file"), files), "content");
  EXPECT_EQ(map_file(in("a/b/file"), files).text(), "content");
  EXPECT_EQ(files.list(run_), (std::vector<std::string>{".lock", "a"}));
  EXPECT_EQ(files.list(in("a/b")), std::vector<std::string>{"file"});
  files.rename(in("a/b/file"), in("a/file"));
  EXPECT_FALSE(files.exists(in("a/b/file")));
  EXPECT_FALSE(files.exists(in("none/below")));
  EXPECT_EQ(files.size(in("a/file")), 7u);
  files.sync_directory(run_);
  EXPECT_GT(files.free_space(run_), 0u);
  remove_tree(in("a"), files);
  EXPECT_FALSE(real_file_system().exists(in("a")));
  EXPECT_EQ(held.state(), State::in_place);
  EXPECT_EQ(held.describe(State::in_place), "");
  for (const std::string& outside : {run_ + "2/file", victim_, in("../victim")}) {
    EXPECT_THROW(files.exists(outside), Bug) << outside;
  }
}

TEST_F(HeldFolderTest, OfAFolderWithoutASlash) {
  ASSERT_EQ(::chdir(run_.c_str()), 0);
  {
    const HeldFolder held(".", ".lock", "the run");
    write_atomically("./file", "content", held.files());
    EXPECT_EQ(held.state(), State::in_place);
  }
  EXPECT_EQ(read_text(in("file")), "content");
  ASSERT_EQ(::chdir("/"), 0);
}

TEST_F(HeldFolderTest, LinksAreNotFollowedForWriting) {
  for (const char* name : {"metrics.jsonl", "log.txt"}) plant(name);
  expect_refused("metrics.jsonl",
                 [&](FileSystem& f) { LineFile lines(in("metrics.jsonl"), 0, f); });
  expect_refused("metrics.jsonl",
                 [&](FileSystem& f) { LineFile lines(in("metrics.jsonl"), {}, f); });
  expect_refused("metrics.jsonl", [&](FileSystem& f) { f.truncate(in("metrics.jsonl"), 0); });
  expect_refused("metrics.jsonl", [&](FileSystem& f) { f.create(in("metrics.jsonl")); });
  expect_refused("metrics.jsonl", [&](FileSystem& f) { f.create_new(in("metrics.jsonl")); });
  expect_refused("log.txt", [&](FileSystem& f) { set_log_file(in("log.txt"), f); });
  plant("nowhere", "../not_there");
  expect_refused("nowhere", [&](FileSystem& f) { f.create(in("nowhere")); });
  EXPECT_FALSE(real_file_system().exists(folder_ / "not_there"));
}

// As `cp -al` makes them, and as somebody may plant them.
TEST_F(HeldFolderTest, FilesWithASecondNameAreCopiedBeforeTheirBytesChange) {
  for (const char* name : {".lock", "metrics.jsonl", "timing.jsonl", "log.txt", "new"})
    ASSERT_EQ(::link(victim_.c_str(), in(name).c_str()), 0);
  ASSERT_EQ(::chmod(victim_.c_str(), 0640), 0);
  const HeldFolder held(run_, ".lock", "the run");
  EXPECT_EQ(held.state(), State::in_place);
  LineFile(in("metrics.jsonl"), 3, held.files()).write("next");
  LineFile(in("timing.jsonl"), {}, held.files()).write("next");
  set_log_file(in("log.txt"), held.files());
  log_note("a note");
  close_log_file();
  held.files().create(in("new"))->write_text("own");
  EXPECT_EQ(read_text(victim_), "precious");
  EXPECT_EQ(read_text(in("metrics.jsonl")), "prenext\n");
  EXPECT_EQ(read_text(in("timing.jsonl")), "preciousnext\n");
  EXPECT_EQ(read_text(in("log.txt")).substr(0, 8), "precious");
  EXPECT_EQ(read_text(in("new")), "own");
  struct stat victim {
  }, copy{};
  ASSERT_EQ(::stat(victim_.c_str(), &victim), 0);
  EXPECT_EQ(victim.st_nlink, 1u);
  ASSERT_EQ(::stat(in("metrics.jsonl").c_str(), &copy), 0);
  EXPECT_EQ(copy.st_mode & 0777, 0640u);
  EXPECT_EQ(real_file_system().list(run_).size(), 5u);  // no temporary file is left
}

// The lock of a run that trains is not taken away because somebody has linked it.
TEST_F(HeldFolderTest, AHeldLockWithASecondNameStaysHeld) {
  const HeldFolder held(run_, ".lock", "the run");
  ASSERT_EQ(::link(in(".lock").c_str(), in("copy").c_str()), 0);
  EXPECT_THROW(HeldFolder(run_, ".lock", "the run"), InUse);
  EXPECT_EQ(held.state(), State::in_place);
}

TEST_F(HeldFolderTest, LinksOnTheWayAreNotFollowed) {
  make_directories(folder_ / "elsewhere/step");
  write_atomically(folder_ / "elsewhere/step/file", "precious");
  plant("checkpoints", "../elsewhere");
  const std::string file = in("checkpoints/step/file");
  expect_refused("checkpoints", [&](FileSystem& f) { f.create(file); });
  expect_refused("checkpoints", [&](FileSystem& f) { f.remove_file(file); });
  expect_refused("checkpoints", [&](FileSystem& f) { f.rename(file, in("file")); });
  expect_refused("checkpoints", [&](FileSystem& f) { f.list(in("checkpoints")); });
  expect_refused("checkpoints", [&](FileSystem& f) { make_directories(in("checkpoints/new"), f); });
  expect_refused("checkpoints", [&](FileSystem& f) { make_directories(in("checkpoints"), f); });
  expect_refused("checkpoints", [&](FileSystem& f) { write_atomically(file, "new", f); });
  const HeldFolder held(run_, ".lock", "the run");
  remove_tree(in("checkpoints"), held.files());
  EXPECT_EQ(read_text(folder_ / "elsewhere/step/file"), "precious");
  EXPECT_FALSE(held.files().exists(in("checkpoints")));
}

TEST_F(HeldFolderTest, ALinkAsTheLockIsRefused) {
  plant(".lock");
  const std::string message = error_of([&] { HeldFolder held(run_, ".lock", "the run"); });
  EXPECT_EQ(message.find(in(".lock") + ": is a symbolic link"), 0u) << message;
  EXPECT_EQ(read_text(victim_), "precious");
}

TEST_F(HeldFolderTest, ALinkToTheWholeFolderIsFine) {
  ASSERT_EQ(::symlink("run", (folder_ / "link").c_str()), 0);
  const HeldFolder held(folder_ / "link", ".lock", "the run");
  write_atomically(folder_ / "link/file", "content", held.files());
  EXPECT_EQ(read_text(in("file")), "content");
  EXPECT_EQ(held.state(), State::in_place);
}

TEST_F(HeldFolderTest, AMovedFolderIsWrittenWhereItIsNow) {
  const HeldFolder held(run_, ".lock", "the run");
  real_file_system().rename(run_, folder_ / "moved");
  EXPECT_EQ(held.state(), State::moved);
  EXPECT_EQ(held.current_path(), folder_ / "moved");
  EXPECT_EQ(
      held.describe(State::moved),
      "the folder " + run_ + " was moved while it was in use; it is now " + (folder_ / "moved"));
  make_directories(in("checkpoints"), held.files());
  write_atomically(in("checkpoints/file"), "content", held.files());
  EXPECT_EQ(read_text(folder_ / "moved/checkpoints/file"), "content");
  EXPECT_FALSE(real_file_system().exists(run_));
  // Another run at the old path is a run of its own.
  make_directories(run_);
  const HeldFolder other(run_, ".lock", "the run");
  EXPECT_EQ(held.state(), State::moved);
  EXPECT_EQ(other.state(), State::in_place);
}

TEST_F(HeldFolderTest, ARemovedFolderComesNotBack) {
  const HeldFolder held(run_, ".lock", "the run");
  remove_tree(run_);
  EXPECT_EQ(held.state(), State::removed);
  EXPECT_EQ(held.current_path(), "");
  EXPECT_NE(error_of([&] { make_directories(in("checkpoints"), held.files()); }), "");
  EXPECT_FALSE(real_file_system().exists(run_));
  make_directories(run_);
  EXPECT_EQ(held.state(), State::removed);
}

TEST_F(HeldFolderTest, ALostOrReplacedLockIsNoticed) {
  const HeldFolder held(run_, ".lock", "the run");
  real_file_system().remove_file(in(".lock"));
  EXPECT_EQ(held.state(), State::unlocked);
  EXPECT_EQ(held.describe(State::unlocked).find(in(".lock") + " was removed or replaced"), 0u);
  const FileLock other(in(".lock"), "the run");
  EXPECT_EQ(held.state(), State::unlocked);
}

TEST_F(HeldFolderTest, OnlyOneHolds) {
  const HeldFolder held(run_, ".lock", "the run");
  EXPECT_TRUE(FileLock::is_held(in(".lock")));
  EXPECT_EQ(error_of([&] { HeldFolder other(run_, ".lock", "the run"); }),
            str("the run is in use by process ", ::getpid(), "; wait for it or stop it first"));
  EXPECT_NE(error_of([&] {
              HeldFolder none(folder_ / "none", ".lock", "the run");
            }).find("cannot open the folder"),
            std::string::npos);
}

}  // namespace
}  // namespace muonlab::base
