#include "muonlab/base/partial_output.hpp"

#include <unistd.h>

#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"

namespace muonlab::base {
namespace {

class PartialOutputTest : public testing::Test {
 protected:
  static FileSystem& files() { return real_file_system(); }
  static void make_folder(const std::string& path, const std::string& content) {
    make_directories(path);
    write_atomically(join_path(path, "file"), content);
  }
  const TemporaryFolder folder_;
  const std::string out_ = folder_ / "out", partial_ = folder_ / "out.partial";
};

TEST_F(PartialOutputTest, AFileOrFolderHasItsNameOnceItIsComplete) {
  {
    PartialOutput output(out_);
    make_folder(output.path(), "made");
    EXPECT_FALSE(files().exists(out_));
    output.publish();
  }
  EXPECT_EQ(read_text(out_ + "/file"), "made");
  {
    PartialOutput output(folder_ / "a.bin");
    write_atomically(output.path(), "made");
    output.publish();
  }
  EXPECT_EQ(files().list(folder_.path()), (std::vector<std::string>{"a.bin", "out"}));
}

TEST_F(PartialOutputTest, WhatIsNotPublishedIsRemoved) {
  {
    PartialOutput output(out_);
    make_folder(output.path(), "half");
  }
  EXPECT_EQ(files().list(folder_.path()), std::vector<std::string>{});
}

TEST_F(PartialOutputTest, OneProcessAtATimeMakesIt) {
  PartialOutput first(out_);
  make_folder(first.path(), "first");
  EXPECT_EQ(error_of([&] { PartialOutput second(out_); }),
            str(out_, " is in use by process ", ::getpid(), "; wait for it or stop it first"));
  first.publish();
  EXPECT_EQ(read_text(out_ + "/file"), "first");
}

TEST_F(PartialOutputTest, LeftOversOfAKilledProcessAreRemoved) {
  make_folder(partial_ + "/out", "half");
  write_atomically(partial_ + "/.muonlab-partial", "1\n");
  PartialOutput output(out_);
  EXPECT_FALSE(files().exists(output.path()));
}

TEST_F(PartialOutputTest, WhatOthersMadeIsRefusedAndStays) {
  make_folder(partial_, "precious");
  const std::string message = error_of([&] { PartialOutput output(out_); });
  EXPECT_EQ(message.find(partial_ + ": is there already, and muonlab"), 0u) << message;
  EXPECT_EQ(read_text(partial_ + "/file"), "precious");
  write_atomically(folder_ / "b.partial", "precious");
  EXPECT_NE(error_of([&] { PartialOutput output(folder_ / "b"); }), "");
  EXPECT_EQ(read_text(folder_ / "b.partial"), "precious");
}

TEST_F(PartialOutputTest, WhatExistsIsReplacedOnlyWhereThatIsAsked) {
  {
    PartialOutput output(out_);
    make_folder(output.path(), "made");
    make_folder(out_, "precious");
    const std::string message = error_of([&] { output.publish(); });
    EXPECT_NE(message.find("is not written over. What was made is complete and stays in " +
                           partial_ + "/out"),
              std::string::npos)
        << message;
  }
  EXPECT_EQ(read_text(out_ + "/file"), "precious");
  EXPECT_EQ(read_text(partial_ + "/out/file"), "made");
  EXPECT_NE(error_of([&] { PartialOutput output(out_); }), "") << "what was kept is no left-over";
  files().rename(partial_, folder_ / "kept");
  {
    PartialOutput output(out_, PartialOutput::Existing::replaced);
    make_folder(output.path(), "made");
    output.publish();
  }
  EXPECT_EQ(read_text(out_ + "/file"), "made");
  EXPECT_EQ(files().list(folder_.path()), (std::vector<std::string>{"kept", "out"}));
}

TEST_F(PartialOutputTest, AnEmptyFolderIsFilled) {
  make_directories(out_);
  PartialOutput output(out_);
  make_folder(output.path(), "made");
  output.publish();
  EXPECT_EQ(read_text(out_ + "/file"), "made");
}

TEST_F(PartialOutputTest, WhereTheNewOneCannotBeMovedTheOldOneStays) {
  make_folder(out_, "old");
  PartialOutput output(out_, PartialOutput::Existing::replaced);
  EXPECT_NE(error_of([&] { output.publish(); }), "") << "nothing was made";
  EXPECT_EQ(read_text(out_ + "/file"), "old");
}

TEST_F(PartialOutputTest, AnInterruptedReplacementGivesTheOldOneBack) {
  make_folder(partial_ + "/.muonlab-replaced", "old");
  make_folder(partial_ + "/out", "new");
  write_atomically(partial_ + "/.muonlab-partial", "1\n");
  PartialOutput output(out_, PartialOutput::Existing::replaced);
  EXPECT_EQ(read_text(out_ + "/file"), "old");
}

TEST_F(PartialOutputTest, WhatCannotBeReplacedIsRefusedBeforeTheWork) {
  const std::string here =
      error_of([&] { PartialOutput output(".", PartialOutput::Existing::replaced); });
  EXPECT_NE(here.find("is the current folder"), std::string::npos) << here;
  const std::string mounted =
      error_of([&] { PartialOutput output("/proc", PartialOutput::Existing::replaced); });
  EXPECT_NE(mounted.find("another file system is mounted there"), std::string::npos) << mounted;
  for (const char* nameless : {"", "/", "..", "/tmp/.."})
    EXPECT_NE(error_of([&] { PartialOutput output(nameless); }), "") << nameless;
}

}  // namespace
}  // namespace muonlab::base
