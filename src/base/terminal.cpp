#include "muonlab/base/terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <mutex>
#include <vector>

#include "muonlab/base/clock.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/base/visible.hpp"

namespace muonlab::base {
namespace {

constexpr double kRedrawInterval_s = 0.1;

// The live lines alive, newest last, and the lock over them and all output.
struct Screen {
  std::recursive_mutex lock;
  std::vector<LiveLine*> lines;
  std::atomic<bool> muted{false};
  LiveLine* top() const { return lines.empty() ? nullptr : lines.back(); }
};

Screen& screen() {
  static Screen* shared = new Screen;  // outlives every static object that may still print
  return *shared;
}

// Watching is a convenience: a descriptor that cannot be written to must not stop a run.
void put(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    text.remove_prefix(static_cast<size_t>(written));
  }
}

}  // namespace

bool is_terminal(int descriptor) { return ::isatty(descriptor) == 1; }

bool colour_allowed(int descriptor) {
  const char* no_colour = std::getenv("NO_COLOR");
  if (no_colour && *no_colour) return false;
  const char* term = std::getenv("TERM");
  return term && *term && std::string_view(term) != "dumb" && is_terminal(descriptor);
}

int terminal_width(int descriptor) {
  winsize size{};
  if (::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 100;
}

std::string coloured(std::string_view text, Colour colour, int descriptor) {
  const char* code = nullptr;
  switch (colour) {
    case Colour::none: break;
    case Colour::red: code = "\x1b[31m"; break;
    case Colour::green: code = "\x1b[32m"; break;
    case Colour::yellow: code = "\x1b[33m"; break;
    case Colour::blue: code = "\x1b[34m"; break;
    case Colour::grey: code = "\x1b[90m"; break;
    case Colour::bold: code = "\x1b[1m"; break;
  }
  if (!code || !colour_allowed(descriptor)) return std::string(text);
  return code + std::string(text) + "\x1b[0m";
}

LiveLine::LiveLine(int descriptor, double plain_interval_s)
    : descriptor_(descriptor),
      terminal_(is_terminal(descriptor)),
      plain_interval_s_(plain_interval_s) {
  const std::lock_guard guard(screen().lock);
  if (LiveLine* below = screen().top()) below->erase();
  screen().lines.push_back(this);
}

LiveLine::~LiveLine() {
  const std::lock_guard guard(screen().lock);
  clear();
  std::erase(screen().lines, this);
}

void LiveLine::update(std::string_view text) {
  const std::lock_guard guard(screen().lock);
  text_ = visible(text);
  const double now_s = monotonic_seconds();
  if (now_s - last_s_ < (terminal_ ? kRedrawInterval_s : plain_interval_s_)) return;
  last_s_ = now_s;
  if (terminal_) {
    if (screen().top() == this) draw();
  } else {
    put(descriptor_, text_ + "\n");
    plain_ = text_;
  }
}

void LiveLine::finish(std::string_view text) {
  const std::lock_guard guard(screen().lock);
  clear();
  if (terminal_ || text != plain_) print_line(text, descriptor_);
  plain_.clear();
}

void LiveLine::clear() {
  const std::lock_guard guard(screen().lock);
  erase();
  text_.clear();
  last_s_ = -1e30;
}

void LiveLine::draw() {
  const auto width = static_cast<size_t>(std::max(1, terminal_width(descriptor_) - 1));
  put(descriptor_, "\r" + clip_text(text_, width) + "\x1b[K");
  shown_ = true;
}

void LiveLine::erase() {
  if (shown_) put(descriptor_, "\r\x1b[K");
  shown_ = false;
}

LiveLinePause::LiveLinePause() {
  screen().lock.lock();
  if (LiveLine* top = screen().top()) top->erase();
}

LiveLinePause::~LiveLinePause() {
  LiveLine* top = screen().top();
  if (top && top->terminal_ && !top->text_.empty()) top->draw();
  screen().lock.unlock();
}

void mute_standard_output() { screen().muted = true; }

void print_line(std::string_view text, int descriptor) {
  if (descriptor == 1 && screen().muted) return;
  const LiveLinePause pause;
  put(descriptor, visible(text) + "\n");
}

ProgressBar::ProgressBar(std::string label, uint64_t total, std::string unit, int descriptor)
    : label_(std::move(label)),
      unit_(std::move(unit)),
      total_(total),
      start_s_(monotonic_seconds()),
      live_(descriptor) {}

std::string ProgressBar::amount(double value) const {
  if (unit_ == "B") return human_bytes(static_cast<uint64_t>(value));
  if (value >= 10.0) value = std::floor(value);
  return human_count(value) + " " + unit_;
}

std::string ProgressBar::line(double elapsed_s) const {
  const double done = static_cast<double>(done_);
  const double total = static_cast<double>(total_);
  const double rate = elapsed_s > 0.0 ? done / elapsed_s : 0.0;
  std::string text = label_;
  if (total_ > 0) {
    constexpr double kCells = 20.0;
    const double part = std::min(1.0, done / total);
    const auto full = static_cast<size_t>(part * kCells);
    text += "  ";
    for (size_t i = 0; i < static_cast<size_t>(kCells); ++i) text += i < full ? "█" : "░";
    text += pad_left(fixed(std::floor(part * 100.0), 0), 4) + " %";
  }
  text += "  " + amount(done);
  if (rate > 0.0) text += "  " + amount(rate) + "/s";
  if (rate > 0.0 && total_ > done_) text += "  " + human_duration((total - done) / rate) + " left";
  return text;
}

void ProgressBar::set(uint64_t done) {
  done_ = done;
  if (done == 0 && !live_.on_terminal()) return;
  live_.update(line(monotonic_seconds() - start_s_));
}

void ProgressBar::finish() {
  const double elapsed_s = monotonic_seconds() - start_s_;
  std::string text =
      label_ + "  " + amount(static_cast<double>(done_)) + " in " + human_duration(elapsed_s);
  if (elapsed_s > 0.0) text += ", " + amount(static_cast<double>(done_) / elapsed_s) + "/s";
  live_.finish(text);
}

}  // namespace muonlab::base
