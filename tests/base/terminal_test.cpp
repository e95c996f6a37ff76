#include "muonlab/base/terminal.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "muonlab/base/log.hpp"

namespace muonlab::base {
namespace {

// Output into a real pseudo-terminal of a given width, or into a pipe.
class Watched {
 public:
  explicit Watched(bool terminal, unsigned short columns = 60) {
    if (terminal) {
      read_ = ::posix_openpt(O_RDWR | O_NOCTTY);
      check(read_ >= 0 && ::grantpt(read_) == 0 && ::unlockpt(read_) == 0, "no pseudo-terminal");
      write_ = ::open(::ptsname(read_), O_RDWR | O_NOCTTY);
      termios mode{};
      ::tcgetattr(write_, &mode);
      ::cfmakeraw(&mode);
      ::tcsetattr(write_, TCSANOW, &mode);
      const winsize size{24, columns, 0, 0};
      ::ioctl(write_, TIOCSWINSZ, &size);
    } else {
      int ends[2];
      check(::pipe(ends) == 0, "no pipe");
      read_ = ends[0];
      write_ = ends[1];
    }
    ::fcntl(read_, F_SETFL, O_NONBLOCK);
  }
  ~Watched() {
    ::close(read_);
    ::close(write_);
  }
  int descriptor() const { return write_; }
  std::string text() {
    char buffer[4096];
    std::string all;
    for (ssize_t n; (n = ::read(read_, buffer, sizeof buffer)) > 0;)
      all.append(buffer, static_cast<size_t>(n));
    return all;
  }

 private:
  int read_ = -1, write_ = -1;
};

TEST(Terminal, IsRecognizedAndMeasured) {
  const Watched terminal(true, 72), pipe(false);
  EXPECT_TRUE(is_terminal(terminal.descriptor()));
  EXPECT_FALSE(is_terminal(pipe.descriptor()));
  EXPECT_EQ(terminal_width(terminal.descriptor()), 72);
  EXPECT_EQ(terminal_width(pipe.descriptor()), 100);
}

TEST(Terminal, ColourNeedsATerminalAndNoObjection) {
  const Watched terminal(true), pipe(false);
  ::setenv("TERM", "xterm", 1);
  ::unsetenv("NO_COLOR");
  EXPECT_EQ(coloured("x", Colour::red, terminal.descriptor()), "\x1b[31mx\x1b[0m");
  EXPECT_EQ(coloured("x", Colour::none, terminal.descriptor()), "x");
  EXPECT_EQ(coloured("x", Colour::red, pipe.descriptor()), "x");
  ::setenv("NO_COLOR", "1", 1);
  EXPECT_EQ(coloured("x", Colour::red, terminal.descriptor()), "x");
  ::setenv("NO_COLOR", "", 1);
  EXPECT_TRUE(colour_allowed(terminal.descriptor()));
  ::setenv("TERM", "dumb", 1);
  EXPECT_FALSE(colour_allowed(terminal.descriptor()));
  ::unsetenv("NO_COLOR");
}

TEST(LiveLine, RewritesOneLineAndLeavesOne) {
  Watched terminal(true, 10);
  LiveLine line(terminal.descriptor());
  line.update("step 1 of many");
  EXPECT_EQ(terminal.text(), "\rstep 1 o…\x1b[K");
  line.update("step 2");  // too soon to be drawn
  EXPECT_EQ(terminal.text(), "");
  line.finish("done");
  EXPECT_EQ(terminal.text(), "\r\x1b[Kdone\n");
}

TEST(LiveLine, OtherOutputGoesAboveIt) {
  Watched terminal(true);
  {
    LiveLine line(terminal.descriptor());
    line.update("live");
    terminal.text();
    print_line("news", terminal.descriptor());
    EXPECT_EQ(terminal.text(), "\r\x1b[Knews\n\rlive\x1b[K");
    {
      LiveLine inner(terminal.descriptor());
      inner.update("inner");
      EXPECT_EQ(terminal.text(), "\r\x1b[K\rinner\x1b[K");
      line.update("hidden");
      EXPECT_EQ(terminal.text(), "");
    }
    terminal.text();
  }
  EXPECT_EQ(terminal.text(), "");
}

TEST(LiveLine, APipeGetsFewPlainLines) {
  Watched pipe(false);
  {
    LiveLine line(pipe.descriptor(), 3600.0);
    for (int i = 0; i < 1000; ++i) line.update("step " + std::to_string(i));
    line.finish("done");
  }
  EXPECT_EQ(pipe.text(), "step 0\ndone\n");
  LiveLine often(pipe.descriptor(), 0.0);
  often.update("a");
  often.update("b");
  EXPECT_EQ(pipe.text(), "a\nb\n");
  often.finish("b");
  EXPECT_EQ(pipe.text(), "") << "the last line is there already";
}

TEST(ProgressBar, ShowsPartRateAndTimeLeftThenOneLine) {
  Watched terminal(true, 120);
  ProgressBar bar("tokens", 1000, "tokens", terminal.descriptor());
  ::usleep(20000);
  bar.set(250);
  const std::string live = terminal.text();
  EXPECT_NE(live.find("tokens  █████░░░░░░░░░░░░░░░  25 %  250 tokens  "), std::string::npos)
      << live;
  EXPECT_NE(live.find(" tokens/s  "), std::string::npos) << live;
  EXPECT_NE(live.find(" left"), std::string::npos) << live;
  bar.set(1000);
  bar.finish();
  const std::string last = terminal.text();
  EXPECT_EQ(last.find("\r\x1b[Ktokens  1.00 k tokens in "), 0u) << last;
  EXPECT_EQ(last.back(), '\n');
}

TEST(ProgressBar, WorksWithoutATotal) {
  Watched pipe(false);
  ProgressBar bar("reading", 0, "B", pipe.descriptor());
  bar.set(0);
  EXPECT_EQ(pipe.text(), "") << "nothing is done yet";
  bar.set(2'000'000);
  const std::string text = pipe.text();
  EXPECT_EQ(text.find("reading  2.0 MB"), 0u) << text;
  EXPECT_EQ(text.find('%'), std::string::npos);
}

// Runs an action with standard error going into a pipe.
template <class Action>
std::string standard_error_of(Action action) {
  Watched pipe(false);
  const int saved = ::dup(2);
  ::dup2(pipe.descriptor(), 2);
  action();
  ::dup2(saved, 2);
  ::close(saved);
  return pipe.text();
}

TEST(Log, LevelsGoToStandardErrorAndEverythingToTheFile) {
  const TemporaryFolder folder;
  set_log_file(folder / "log.txt");
  const std::string shown = standard_error_of([] {
    log_debug("detail ", 1);
    log_info("news {} ", 2);
    log_warning("careful");
    log_error("bad");
  });
  close_log_file();
  EXPECT_EQ(standard_error_of([] { log_info("after"); }), "after\n");
  EXPECT_EQ(shown, "news {} 2\nwarning: careful\nerror: bad\n");
  const std::string text = read_text(folder / "log.txt");
  EXPECT_NE(text.find("Z debug: detail 1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("Z info: news {} 2\n"), std::string::npos) << text;
  EXPECT_NE(text.find("Z warning: careful\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("after"), std::string::npos);
  EXPECT_EQ(text.substr(4, 1), "-");
}

TEST(Log, LevelIsSettableAndTheFileAppends) {
  const TemporaryFolder folder;
  set_log_level(LogLevel::error);
  EXPECT_EQ(standard_error_of([] {
              log_warning("quiet");
              log_error("loud");
            }),
            "error: loud\n");
  set_log_level(LogLevel::info);
  for (const char* text : {"one", "two"}) {
    set_log_file(folder / "log.txt");
    standard_error_of([&] { log_info(text); });
    close_log_file();
  }
  const std::string text = read_text(folder / "log.txt");
  EXPECT_NE(text.find("one"), std::string::npos);
  EXPECT_NE(text.find("two"), std::string::npos);
  EXPECT_NE(error_of([] { set_log_file("/proc/no/log.txt"); }).find("/proc/no/log.txt"),
            std::string::npos);
}

}  // namespace
}  // namespace muonlab::base
