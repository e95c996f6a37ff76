#include "muonlab/base/lock.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

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

// A look at the lock takes it for an instant; a start that falls into it waits that long.
TEST(FileLock, ALookAtItMakesNoStartFail) {
  const TemporaryFolder folder;
  const std::string path = folder / "lock";
  std::atomic<bool> done{false};
  std::thread looker([&] {
    while (!done) FileLock::is_held(path);
  });
  std::string fault;
  for (int i = 0; i < 300 && fault.empty(); ++i) {
    fault = error_of([&] { FileLock lock(path, "the run"); });
  }
  done = true;
  looker.join();
  EXPECT_EQ(fault, "");
}

TEST(FileLock, ALinkIsRefusedAndWhatItLeadsToStays) {
  const TemporaryFolder folder;
  write_atomically(folder / "victim", "precious");
  ASSERT_EQ(::symlink("victim", (folder / "lock").c_str()), 0);
  const std::string message = error_of([&] { FileLock lock(folder / "lock", "the run"); });
  EXPECT_NE(message.find("lock: is a symbolic link"), std::string::npos) << message;
  EXPECT_EQ(read_text(folder / "victim"), "precious");
}

}  // namespace
}  // namespace muonlab::base
