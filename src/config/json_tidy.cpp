#include "config/json_tidy.hpp"

namespace muonlab::config {

namespace {

constexpr std::string_view kBlank = " \t\r\n";
constexpr std::string_view kPunctuation = "{}[],:";

class Tidier {
 public:
  explicit Tidier(std::string_view text) { out_.text = text; }

  TidyJson run() {
    while (at_ < out_.text.size()) {
      const char c = out_.text[at_];
      if (kBlank.find(c) != std::string_view::npos) {
        ++at_;
      } else if (starts_comment()) {
        blank_comment();
      } else {
        token(c);
      }
    }
    return std::move(out_);
  }

 private:
  bool starts_comment() const {
    return out_.text[at_] == '/' && at_ + 1 < out_.text.size() &&
           (out_.text[at_ + 1] == '/' || out_.text[at_ + 1] == '*');
  }

  void blank_comment() {
    const bool line = out_.text[at_ + 1] == '/';
    size_t end = line ? out_.text.find('\n', at_) : out_.text.find("*/", at_ + 2);
    if (end == std::string::npos) {
      if (!line) out_.open_comment = at_;
      end = out_.text.size();
    } else if (!line) {
      end += 2;
    }
    for (; at_ < end; ++at_) {
      if (out_.text[at_] != '\n') out_.text[at_] = ' ';
    }
  }

  void token(char c) {
    out_.tokens.push_back(at_);
    if (kPunctuation.find(c) != std::string_view::npos) {
      if ((c == ']' || c == '}') && last_ == ',' && before_comma_ok_) out_.text[comma_] = ' ';
      if (c == ',') {
        comma_ = at_;
        before_comma_ok_ =
            last_ != 0 && std::string_view("{[,:").find(last_) == std::string_view::npos;
      }
      if (c == '{' || c == '[') out_.values.push_back(at_);
      ++at_;
    } else {
      out_.values.push_back(at_);
      c == '"' ? skip_string() : skip_word();
      c = 'v';
    }
    last_ = c;
  }

  void skip_string() {
    for (++at_; at_ < out_.text.size(); ++at_) {
      const char c = out_.text[at_];
      if (c == '\n') return;  // not closed: strict JSON reports it
      if (c == '\\' && at_ + 1 < out_.text.size() && out_.text[at_ + 1] != '\n') {
        ++at_;
      } else if (c == '"') {
        ++at_;
        return;
      }
    }
  }

  void skip_word() {
    while (at_ < out_.text.size() && kBlank.find(out_.text[at_]) == std::string_view::npos &&
           kPunctuation.find(out_.text[at_]) == std::string_view::npos && out_.text[at_] != '"' &&
           !starts_comment()) {
      ++at_;
    }
  }

  TidyJson out_;
  size_t at_ = 0, comma_ = 0;
  char last_ = 0;  // the last token: punctuation, or 'v' for a string, number or name
  bool before_comma_ok_ = false;
};

}  // namespace

TidyJson tidy_json(std::string_view text) { return Tidier(text).run(); }

}  // namespace muonlab::config
