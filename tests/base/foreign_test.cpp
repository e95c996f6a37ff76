#include "muonlab/base/foreign.hpp"

#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"

namespace muonlab::base {
namespace {

TEST(ForeignFolder, IsRefusedAndOursIsNot) {
  const TemporaryFolder folder;
  const std::vector<std::string> known{".lock", "log.txt"};
  const auto refusal = [&](const std::string& path) {
    return error_of([&] { refuse_foreign_folder(path, "mark.json", known, "Choose another."); });
  };
  EXPECT_EQ(refusal(folder / "absent"), "");
  EXPECT_EQ(refusal(folder.path()), "");
  for (const char* name : {".lock", "log.txt", "log.txt.tmp-0123abcd"}) {
    write_atomically(folder / name, "x");
  }
  EXPECT_EQ(refusal(folder.path()), "");
  write_atomically(folder / "thesis.tex", "x");
  EXPECT_EQ(refusal(folder.path()),
            folder.path() +
                ": holds files that muonlab did not write (thesis.tex) and no mark.json, so "
                "nothing is written there. Choose another.");
  EXPECT_NE(refusal("/").find("/: holds files"), std::string::npos);
  write_atomically(folder / "mark.json", "x");
  EXPECT_EQ(refusal(folder.path()), "");
}

}  // namespace
}  // namespace muonlab::base
