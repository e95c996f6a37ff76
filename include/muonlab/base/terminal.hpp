// What a person watches: one line that changes on a terminal, few plain lines in a file or pipe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace muonlab::base {

bool is_terminal(int descriptor);
// Colour is allowed on a terminal unless NO_COLOR is set to something or TERM is "dumb" or absent.
bool colour_allowed(int descriptor);
int terminal_width(int descriptor);  // columns; 100 where there is no terminal

enum class Colour { none, red, green, yellow, blue, grey, bold };
// The text in a colour if the descriptor allows it, else unchanged.
std::string coloured(std::string_view text, Colour colour, int descriptor = 2);

// A line that is rewritten on a terminal (at most ten times a second) and repeated rarely
// elsewhere. Leaves exactly one line behind when finished, none when cleared. Log messages and
// print_line() go above it. Texts carry no escape codes. Of several alive the newest is shown.
class LiveLine {
 public:
  // Elsewhere than on a terminal, update() prints the first text, then one each plain_interval_s.
  explicit LiveLine(int descriptor = 2, double plain_interval_s = 30.0);
  ~LiveLine();  // as clear()
  LiveLine(const LiveLine&) = delete;
  LiveLine& operator=(const LiveLine&) = delete;

  void update(std::string_view text);
  // The one line left behind; elsewhere than on a terminal not again if it was the last one
  // printed.
  void finish(std::string_view text);
  void clear();  // removes the line from the terminal
  bool on_terminal() const { return terminal_; }

 private:
  friend class LiveLinePause;
  void erase();
  void draw();

  int descriptor_;
  bool terminal_;
  double plain_interval_s_;
  double last_s_ = -1e30;
  bool shown_ = false;
  std::string text_, plain_;  // the newest; the last one printed elsewhere than on a terminal
};

// Prints a whole line to a descriptor, above the live line if there is one.
void print_line(std::string_view text, int descriptor = 1);
// From now on print_line() prints nothing to standard output.
void mute_standard_output();
// Takes the live line off the terminal while it lives, for output of one's own; one thread at a
// time.
class LiveLinePause {
 public:
  LiveLinePause();
  ~LiveLinePause();
  LiveLinePause(const LiveLinePause&) = delete;
  LiveLinePause& operator=(const LiveLinePause&) = delete;
};

// A live line for work of known or unknown size: label, bar, percentage, count, rate, time left.
class ProgressBar {
 public:
  // total 0: unknown. unit is printed after counts and rates ("tokens", "B" prints bytes with
  // units).
  ProgressBar(std::string label, uint64_t total, std::string unit, int descriptor = 2);
  void set(uint64_t done);
  void add(uint64_t more) { set(done_ + more); }
  void finish();  // leaves "label  count in time, rate"

 private:
  std::string line(double elapsed_s) const;
  std::string amount(double value) const;  // with its unit
  std::string label_, unit_;
  uint64_t total_, done_ = 0;
  double start_s_;
  LiveLine live_;
};

}  // namespace muonlab::base
