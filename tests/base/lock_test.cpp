#include "muonlab/base/lock.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"

namespace muonlab::base {
namespace {

TEST(FileLock, OneHolderAtATimeAndFreeAfterwards) {
  const TemporaryFolder folder;
  const std::string path = folder / "lock";
  EXPECT_FALSE(FileLock::is_held(path));
  {
    const FileLock held(path, "the run");
    EXPECT_TRUE(FileLock::is_held(path));
    EXPECT_EQ(error_of([&] { FileLock again(path, "the run"); }),
              str("the run is in use by process ", ::getpid(), "; wait for it or stop it first"));
  }
  EXPECT_FALSE(FileLock::is_held(path));
  const FileLock free(path, "the run");
}

TEST(FileLock, AKilledHolderLetsGo) {
  const TemporaryFolder folder;
  const std::string path = folder / "lock";
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const FileLock held(path, "the run");
    char byte = 1;
    if (::write(ready[1], &byte, 1) != 1) ::_exit(1);
    ::pause();
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_NE(error_of([&] { FileLock other(path, "the run"); }).find(std::to_string(child)),
            std::string::npos);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(error_of([&] { FileLock other(path, "the run"); }), "");
  ::close(ready[0]);
  ::close(ready[1]);
}

}  // namespace
}  // namespace muonlab::base
