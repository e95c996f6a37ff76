#include "muonlab/base/readable_file.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <vector>

#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"

namespace muonlab::base {
namespace {

std::string text_at(const ReadableFile& file, uint64_t offset, size_t count) {
  std::string text(count, '\0');
  file.read(offset, std::as_writable_bytes(std::span(text)));
  return text;
}

TEST(ReadableFile, ReadsAtAnyPlace) {
  const TemporaryFolder folder;
  write_atomically(folder / "a", "0123456789");
  const ReadableFile file(folder / "a");
  EXPECT_EQ(file.size(), 10u);
  EXPECT_EQ(text_at(file, 3, 4), "3456");
  EXPECT_EQ(text_at(file, 10, 0), "");
}

TEST(ReadableFile, RefusesWhatIsNoFile) {
  const TemporaryFolder folder;
  EXPECT_NE(error_of([&] { ReadableFile(folder / "none"); }).find("none: cannot open"),
            std::string::npos);
  EXPECT_NE(error_of([&] { ReadableFile(folder.path()); }).find("cannot read"), std::string::npos);
  EXPECT_NE(error_of([] { ReadableFile("/dev/null"); }).find("not a regular file"),
            std::string::npos);
  EXPECT_NE(error_of([&] { ReadableFile(folder / std::string("a\0b", 3)); }).find("NUL"),
            std::string::npos);
}

TEST(ReadableFile, ACutFileIsAnErrorWithItsNameAndChangesItsStamp) {
  const TemporaryFolder folder;
  const std::string path = folder / "a";
  write_atomically(path, std::string(100'000, 'x'));
  const ReadableFile file(path);
  const FileStamp before = file.stamp();
  EXPECT_EQ(file.stamp(), before);
  ASSERT_EQ(::truncate(path.c_str(), 10), 0);
  EXPECT_NE(file.stamp(), before);
  EXPECT_EQ(text_at(file, 0, 10).size(), 10u);
  const std::string error = error_of([&] { text_at(file, 5, 10); });
  EXPECT_EQ(error.find(path + ": ends at byte 10 or before, though it held 100,000 bytes"), 0u)
      << error;
}

TEST(ReadableFile, MoreFilesThanTheSoftLimitAreOpened) {
  const TemporaryFolder folder;
  write_atomically(folder / "a", "x");
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  if (before.rlim_max < 200) GTEST_SKIP() << "the hard limit is as low";
  rlimit low{100, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  std::vector<ReadableFile> open;
  for (int i = 0; i < 150; ++i) open.emplace_back(folder / "a");
  EXPECT_EQ(text_at(open.back(), 0, 1), "x");
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}

}  // namespace
}  // namespace muonlab::base
