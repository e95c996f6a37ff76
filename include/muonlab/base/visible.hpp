// Foreign text on a terminal: file names, configurations, what a model wrote.
#pragma once

#include <ostream>
#include <streambuf>
#include <string>
#include <string_view>

namespace muonlab::base {

// The text with every character that a terminal would obey, or that would hide or turn around what
// follows it, as an escape that can be read: \x1b, \u202e; bytes that are not UTF-8 likewise. Line
// feeds, tabs and this program's own colours stay.
std::string visible(std::string_view text);

// While it lives, what is written to a stream passes through visible(), whoever writes it.
class VisibleStream : private std::streambuf {
 public:
  explicit VisibleStream(std::ostream& stream);
  ~VisibleStream() override;
  VisibleStream(const VisibleStream&) = delete;
  VisibleStream& operator=(const VisibleStream&) = delete;

 private:
  int_type overflow(int_type c) override;
  std::streamsize xsputn(const char* text, std::streamsize count) override;
  int sync() override;
  void put(size_t count);  // the first of what is held back

  std::ostream& stream_;
  std::streambuf* target_;
  std::string held_;  // until a line or a character is whole
};

}  // namespace muonlab::base
