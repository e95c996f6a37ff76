// An installed program finds the configurations that came with it, in whatever folder it is called.
#include <gtest/gtest.h>

#include "muonlab/base/process.hpp"
#include "support/program.hpp"

namespace muonlab {
namespace {

namespace fs = std::filesystem;

class Installed : public ::testing::Test {
 protected:
  Installed()
      : scratch_(std::string("installed_") +
                 ::testing::UnitTest::GetInstance()->current_test_info()->name()) {
    fs::create_directories(scratch_ / "prefix/bin");
    fs::copy_file(MUONLAB_BINARY, scratch_ / "prefix/bin/muonlab");
    fs::create_directories(scratch_ / "prefix/share/muonlab/configs");
    write("prefix/share/muonlab/configs/small.json", R"({"train": {"steps": 7}})");
    fs::create_directories(scratch_ / "here");
  }
  void write(const std::string& name, const std::string& text) {
    std::ofstream(scratch_ / name) << text;
  }
  // Output and errors of the installed program, called in the folder `here`.
  std::string check(const std::string& config) {
    const std::string output = scratch_ / "output.txt";
    fs::remove(output);
    base::ChildProcess process(
        {"/bin/sh", "-c",
         "cd '" + (scratch_ / "here") + "' && ../prefix/bin/muonlab config check '" + config + "'"},
        output);
    while (!process.poll()) base::wait_for_child(0.05);
    return support::slurp(output);
  }
  support::Scratch scratch_;
};

TEST_F(Installed, AConfigurationThatIsNotHereIsReadFromTheInstalledOnes) {
  const std::string found = check("configs/small.json");
  EXPECT_NE(found.find("configs/small.json is not in this folder; reading " +
                       (scratch_ / "prefix/share/muonlab/configs/small.json")),
            std::string::npos)
      << found;
  EXPECT_NE(found.find("7 steps"), std::string::npos) << found;
}

TEST_F(Installed, AFileOfThisFolderComesFirst) {
  fs::create_directories(scratch_ / "here/configs");
  write("here/configs/small.json", R"({"train": {"steps": 9}})");
  const std::string found = check("configs/small.json");
  EXPECT_EQ(found.find("is not in this folder"), std::string::npos) << found;
  EXPECT_NE(found.find("9 steps"), std::string::npos) << found;
}

TEST_F(Installed, WhatIsNowhereIsNamedAsItWasGiven) {
  for (const std::string& name : {std::string("configs/none.json"), scratch_ / "none.json"}) {
    const std::string found = check(name);
    EXPECT_TRUE(found.starts_with(name + ": ")) << found;
    EXPECT_EQ(found.find("share/muonlab"), std::string::npos) << found;
  }
}

}  // namespace
}  // namespace muonlab
