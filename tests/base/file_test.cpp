#include "muonlab/base/file.hpp"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <functional>

#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "muonlab/base/line_file.hpp"

namespace muonlab::base {
namespace {

FileSystem& files() { return real_file_system(); }

int error_number(const std::function<void()>& action) {
  try {
    action();
  } catch (const IoError& error) {
    return error.number();
  }
  return 0;
}

TEST(Path, JoinsAndTakesApart) {
  EXPECT_EQ(join_path("a", "b"), "a/b");
  EXPECT_EQ(join_path("a/", "b"), "a/b");
  EXPECT_EQ(join_path("", "b"), "b");
  EXPECT_EQ(parent_path("a/b/c"), "a/b");
  EXPECT_EQ(parent_path("a"), ".");
  EXPECT_EQ(parent_path("/a"), "/");
  EXPECT_EQ(parent_path("a/b/"), "a");
  EXPECT_EQ(base_name("a/b/"), "b");
  EXPECT_EQ(base_name("b"), "b");
}

TEST(Path, BareNames) {
  for (const char* good : {"model.safetensors", "a", "..a", "a b", ".hidden"}) {
    EXPECT_TRUE(is_bare_name(good)) << good;
  }
  for (const std::string bad : {"", ".", "..", "/etc/passwd", "a/b", "../a", "a\\b"}) {
    EXPECT_FALSE(is_bare_name(bad)) << bad;
  }
  EXPECT_FALSE(is_bare_name(std::string_view("a\0b", 3)));
  EXPECT_FALSE(is_bare_name(std::string(256, 'a')));
}

TEST(RealFiles, WriteReadAppendCut) {
  const TemporaryFolder folder;
  const std::string path = folder / "file";
  auto file = files().create(path);
  file->write_text("hello ");
  file->write_text("world");
  file->sync();
  file->close();
  EXPECT_EQ(read_text(path), "hello world");
  file = files().append(path);
  file->write_text("!");
  file->close();
  EXPECT_EQ(files().size(path), 12u);
  files().truncate(path, 5);
  EXPECT_EQ(read_text(path), "hello");
  files().create(path)->close();
  EXPECT_EQ(read_text(path), "");
  EXPECT_EQ(map_file(path).size(), 0u);
}

TEST(RealFiles, ReadsPartsAndTails) {
  const TemporaryFolder folder;
  const std::string path = folder / "file";
  write_atomically(path, "0123456789");
  std::string part(4, '?');
  EXPECT_EQ(files().read(path, 3, std::as_writable_bytes(std::span(part))), 4u);
  EXPECT_EQ(part, "3456");
  EXPECT_EQ(files().read(path, 8, std::as_writable_bytes(std::span(part))), 2u);
  EXPECT_EQ(files().read(path, 99, std::as_writable_bytes(std::span(part))), 0u);
  EXPECT_EQ(read_tail(path, 3), "789");
  EXPECT_EQ(read_tail(path, 99), "0123456789");
}

TEST(RealFiles, UseAfterCloseIsABug) {
  const TemporaryFolder folder;
  auto file = files().create(folder / "file");
  file->close();
  EXPECT_THROW(file->write_text("x"), Bug);
  EXPECT_THROW(file->close(), Bug);
}

TEST(RealFiles, FoldersListSortedAndVanish) {
  const TemporaryFolder folder;
  make_directories(folder / "a/b/c");
  make_directories(folder / "a/b/c");
  files().create(folder / "a/z")->close();
  files().create(folder / "a/.hidden")->close();
  EXPECT_EQ(files().list(folder / "a"), (std::vector<std::string>{".hidden", "b", "z"}));
  EXPECT_TRUE(files().is_directory(folder / "a/b"));
  EXPECT_FALSE(files().is_directory(folder / "a/z"));
  files().rename(folder / "a/b", folder / "a/q");
  EXPECT_TRUE(files().exists(folder / "a/q/c"));
  remove_tree(folder / "a");
  EXPECT_FALSE(files().exists(folder / "a"));
  remove_tree(folder / "a");
}

TEST(RealFiles, RemovingATreeDoesNotFollowLinks) {
  const TemporaryFolder folder;
  make_directories(folder / "keep");
  write_atomically(folder / "keep/file", "precious");
  make_directories(folder / "gone");
  ASSERT_EQ(::symlink((folder / "keep").c_str(), (folder / "gone/link").c_str()), 0);
  remove_tree(folder / "gone");
  EXPECT_EQ(read_text(folder / "keep/file"), "precious");
}

TEST(RealFiles, FreeSpaceOfWhatIsNotThereYet) {
  const TemporaryFolder folder;
  EXPECT_GT(files().free_space(folder / "not/there/yet"), 0u);
}

TEST(RealFiles, AMapOutlivesItsFile) {
  const TemporaryFolder folder;
  write_atomically(folder / "file", "content");
  const MappedFile first = map_file(folder / "file");
  const MappedFile second = first;
  files().remove_file(folder / "file");
  EXPECT_EQ(second.text(), "content");
}

TEST(RealFileErrors, NamePathOperationCauseAndRemedy) {
  const std::string message = error_of([] { read_text("/nonexistent/config.json"); });
  EXPECT_EQ(message,
            "/nonexistent/config.json: cannot open: No such file or directory; check the "
            "spelling");
}

TEST(RealFileErrors, FullDiskTellsBytes) {
  const std::string message =
      error_of([] { files().append("/dev/full")->write(std::vector<std::byte>(23'300'000)); });
  EXPECT_NE(message.find("/dev/full: cannot write: No space left on device; 23.3 MB needed, "),
            std::string::npos)
      << message;
  EXPECT_NE(message.find(" free; free some space"), std::string::npos) << message;
}

TEST(RealFileErrors, ShortWriteIsFinishedOrReported) {
  const TemporaryFolder folder;
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  ::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1000, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  auto file = files().create(folder / "file");
  // The kernel takes 1000 of the 1500 bytes in the first call and refuses the rest in the second.
  const int number = error_number([&] { file->write(std::vector<std::byte>(1500)); });
  ::setrlimit(RLIMIT_FSIZE, &before);
  ::signal(SIGXFSZ, SIG_DFL);
  EXPECT_EQ(number, EFBIG);
  EXPECT_EQ(files().size(folder / "file"), 1000u);
}

TEST(RealFileErrors, EveryOperationChecks) {
  const TemporaryFolder folder;
  const std::string absent = folder / "absent";
  write_atomically(folder / "file", "x");
  make_directories(folder / "full/of");
  EXPECT_EQ(error_number([&] { files().map(absent); }), ENOENT);
  EXPECT_EQ(error_number([&] { files().create(folder / "absent/file"); }), ENOENT);
  EXPECT_EQ(error_number([&] { files().append(folder / "full"); }), EISDIR);
  EXPECT_EQ(error_number([&] { files().truncate(absent, 0); }), ENOENT);
  EXPECT_EQ(error_number([&] { files().rename(absent, folder / "b"); }), ENOENT);
  EXPECT_EQ(error_number([&] { files().remove_file(absent); }), ENOENT);
  EXPECT_EQ(error_number([&] { files().remove_directory(folder / "full"); }), ENOTEMPTY);
  EXPECT_EQ(error_number([&] { files().make_directory(folder / "file"); }), EEXIST);
  EXPECT_EQ(error_number([&] { files().sync_directory(absent); }), ENOENT);
  EXPECT_EQ(error_number([&] { files().list(absent); }), ENOENT);
  EXPECT_EQ(error_number([&] { files().size(absent); }), ENOENT);
  EXPECT_EQ(error_number([&] { files().map(folder / "full"); }), EISDIR);
  EXPECT_EQ(error_number([&] { files().create(folder / std::string(300, 'n')); }), ENAMETOOLONG);
  EXPECT_EQ(error_number([&] { files().create(""); }), EINVAL);
  EXPECT_EQ(error_number([&] { files().create(folder / std::string("a\0b", 3)); }), EINVAL);
  EXPECT_FALSE(files().exists(folder / "a"));
}

TEST(RealFileErrors, PipesAndDevicesAreNotFiles) {
  const TemporaryFolder folder;
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_NE(error_of([&] { map_file(folder / "pipe"); }).find("not a regular file"),
            std::string::npos);
  EXPECT_NE(error_of([&] { map_file("/dev/zero"); }).find("not a regular file"), std::string::npos);
}

TEST(AtomicWrite, ReplacesWholeAndLeavesNothingBeside) {
  const TemporaryFolder folder;
  write_atomically(folder / "file", "old");
  write_atomically(folder / "file", "new and longer");
  EXPECT_EQ(read_text(folder / "file"), "new and longer");
  EXPECT_EQ(files().list(folder.path()), std::vector<std::string>{"file"});
}

TEST(AtomicWrite, AFailureLeavesTheOldAndNothingBeside) {
  const TemporaryFolder folder;
  make_directories(folder / "file");
  write_atomically(folder / "file/inside", "old");
  EXPECT_NE(error_of([&] { write_atomically(folder / "file", "new"); }), "");  // a folder is there
  EXPECT_EQ(files().list(folder.path()), std::vector<std::string>{"file"});
  EXPECT_EQ(read_text(folder / "file/inside"), "old");
}

TEST(AtomicWrite, FollowsNoLink) {
  const TemporaryFolder folder;
  write_atomically(folder / "victim", "precious");
  for (const char* name : {"file", "file.tmp"}) {
    ASSERT_EQ(::symlink("victim", (folder / name).c_str()), 0);
  }
  write_atomically(folder / "file", "new");
  EXPECT_EQ(read_text(folder / "victim"), "precious");
  EXPECT_EQ(read_text(folder / "file"), "new");
}

TEST(AtomicWrite, WhatAKilledOneLeavesIsRemoved) {
  const TemporaryFolder folder;
  for (const char* name : {"plan.json.tmp-0123abcd", "plan.json", "notes.tmp", "a.tmp-0123abcg",
                           "report.html.tmp-0123abcd"}) {
    files().create_new(folder / name)->close();
  }
  EXPECT_EQ(error_number([&] { files().create_new(folder / "plan.json"); }), EEXIST);
  make_directories(folder / "folder.tmp-0123abcd");
  remove_temporaries(folder.path());
  EXPECT_EQ(files().list(folder.path()),
            (std::vector<std::string>{"a.tmp-0123abcg", "folder.tmp-0123abcd", "notes.tmp",
                                      "plan.json", "report.html.tmp-0123abcd"}));
  EXPECT_FALSE(is_temporary(".tmp-0123abcd"));
}

TEST(LineFile, ResumesAtAGivenLength) {
  const TemporaryFolder folder;
  const std::string path = folder / "metrics.jsonl";
  uint64_t saved = 0;
  {
    LineFile lines(path);
    lines.write("{\"step\":1}");
    saved = lines.size();
    lines.write("{\"step\":2}");
    lines.sync();
    EXPECT_EQ(lines.size(), files().size(path));
  }
  {
    LineFile lines(path, saved);
    lines.write("{\"step\":2,\"again\":true}");
  }
  EXPECT_EQ(read_text(path), "{\"step\":1}\n{\"step\":2,\"again\":true}\n");
  {
    LineFile more(path);
    more.write("end");
  }
  EXPECT_EQ(read_text(path), "{\"step\":1}\n{\"step\":2,\"again\":true}\nend\n");
  EXPECT_EQ(LineFile(path, 0).size(), 0u);
  EXPECT_EQ(read_text(path), "");
}

TEST(LineFile, RefusesALostTailAndLinesInLines) {
  const TemporaryFolder folder;
  const std::string path = folder / "metrics.jsonl";
  LineFile(path).write("12345");
  EXPECT_NE(error_of([&] { LineFile lines(path, 100); }).find("holds 6 bytes"), std::string::npos);
  EXPECT_EQ(read_text(path), "12345\n");
  LineFile lines(path);
  EXPECT_THROW(lines.write("a\nb"), Bug);
}

}  // namespace
}  // namespace muonlab::base
