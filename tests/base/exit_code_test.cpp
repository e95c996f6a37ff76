// README.md's list of exit codes is the program's.
#include "muonlab/base/exit_code.hpp"

#include <algorithm>
#include <fstream>
#include <functional>
#include <sstream>

#include <gtest/gtest.h>

#include "muonlab/base/error.hpp"

namespace muonlab::base {
namespace {

TEST(ExitCode, TheReadmeListsThemAll) {
  std::string list = "Exit codes:";
  for (const auto& [code, text] : exit_code::kMeanings)
    list += str(code == exit_code::kDone ? " " : ", ", code, " ", text);
  std::ifstream file(MUONLAB_SOURCE_DIR "/README.md");
  std::ostringstream text;
  text << file.rdbuf();
  EXPECT_NE(text.str().find("\n" + list + ".\n"), std::string::npos)
      << "README.md should have the line: " << list << ".";
}

TEST(ExitCode, AscendAndDiffer) {
  const auto& all = exit_code::kMeanings;
  EXPECT_EQ(std::ranges::adjacent_find(all, std::greater_equal<>(), &exit_code::Meaning::code),
            all.end());
}

}  // namespace
}  // namespace muonlab::base
