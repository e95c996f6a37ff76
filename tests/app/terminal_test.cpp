// Commands that a person watches or talks to, on a pseudo-terminal.
#include <poll.h>
#include <pty.h>

#include "app/train_fixture.hpp"
#include "support/text.hpp"

namespace muonlab {
namespace {

using support::holds;

// The program on a terminal of its own.
class OnTerminal {
 public:
  OnTerminal(const std::filesystem::path& folder, std::vector<std::string> arguments,
             unsigned short columns, unsigned short rows) {
    winsize size{rows, columns, 0, 0};
    pid_ = forkpty(&descriptor_, nullptr, nullptr, &size);
    if (pid_ != 0) return;
    if (chdir(folder.c_str()) != 0) _exit(126);
    setenv("TERM", "xterm", 1);
    support::become_program(std::move(arguments));
  }
  ~OnTerminal() { close(descriptor_); }

  void type(const std::string& keys) {
    EXPECT_EQ(write(descriptor_, keys.data(), keys.size()), std::ssize(keys));
  }
  // What it writes until the text comes or it ends, at most for a minute.
  std::string until(const std::string& text) {
    std::string seen;
    for (int i = 0; i < 600 && !holds(seen, text); ++i) {
      pollfd ready{descriptor_, POLLIN, 0};
      if (poll(&ready, 1, 100) <= 0) continue;
      char buffer[4096];
      const ssize_t count = read(descriptor_, buffer, sizeof buffer);
      if (count <= 0) break;
      seen.append(buffer, static_cast<size_t>(count));
    }
    return seen;
  }
  int wait() const {
    int status = 0;
    waitpid(pid_, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t pid_ = -1;
  int descriptor_ = -1;
};

class Terminal : public support::TrainFixture {
 protected:
  Terminal() { EXPECT_EQ(train({"--run-dir", "r", "--set", "train.steps=12"}).code, 0); }
};

TEST_F(Terminal, SampleTalksUntilCtrlD) {
  OnTerminal sample(scratch_.path(), {"sample", "r", "--interactive", "--tokens", "100000000"}, 60,
                    24);
  EXPECT_TRUE(holds(sample.until("> "), "Ctrl-D"));
  sample.type("Question\n");
  EXPECT_TRUE(holds(sample.until("\nQuestion"), "Question"));
  sample.type("\x03");  // a text of so many tokens would take hours
  EXPECT_TRUE(sample.until("\r\n> ").ends_with("\r\n> "));
  sample.type("\x04");
  EXPECT_EQ(sample.wait(), 0);

  OnTerminal left(scratch_.path(), {"sample", "r", "--interactive"}, 60, 24);
  left.until("> ");
  left.type("half a line\x03");
  EXPECT_EQ(left.wait(), 130);

  // Between the prompt and the read as well.
  for (int i = 0; i < 10; ++i) {
    OnTerminal soon(scratch_.path(), {"sample", "r", "--interactive"}, 60, 24);
    soon.until("this command.");
    soon.type("\x03");
    EXPECT_EQ(soon.wait(), 130);
  }
}

TEST_F(Terminal, FollowedPlotsFitIntoTheTerminal) {
  for (const unsigned short rows : {12, 24, 50}) {
    OnTerminal metrics(scratch_.path(), {"metrics", "r", "--follow"}, 60, rows);
    const std::string screen = metrics.until("nothing that is written");
    EXPECT_TRUE(screen.starts_with("\x1b[H\x1b[J") && screen.ends_with("\x1b[J")) << screen;
    EXPECT_TRUE(holds(screen, "validation loss ")) << screen;
    EXPECT_EQ(holds(screen, "tokens per second"), rows == 50);
    EXPECT_LT(std::count(screen.begin(), screen.end(), '\n'), rows) << screen;
    EXPECT_EQ(metrics.wait(), 0);
  }
}

}  // namespace
}  // namespace muonlab
