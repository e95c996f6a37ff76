#include "data/json_splitter.hpp"

#include <algorithm>

#include "muonlab/base/error.hpp"

namespace muonlab::data {

namespace {

bool is_white(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

// The end of the value that begins at text[0]; npos when it does not end within the text. Only
// brackets and strings are looked at; whether the value is JSON its parser says.
size_t value_end(std::string_view text, bool at_end) {
  int64_t depth = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') {
      for (++i; i < text.size() && text[i] != '"'; ++i) i += text[i] == '\\';
      if (i >= text.size()) return std::string_view::npos;
      if (depth == 0) return i + 1;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      if (depth == 0) return i;  // behind a number or word
      if (--depth == 0) return i + 1;
    } else if (depth == 0 && (c == ',' || is_white(c))) {
      return i;
    }
  }
  return at_end && depth == 0 ? text.size() : std::string_view::npos;
}

}  // namespace

void JsonSplitter::fail(const std::string& what) const {
  throw base::Error(path_, ":", line_, ": ", what,
                    "; if each line of the file is a JSON object, let its name end in .jsonl");
}

size_t JsonSplitter::split(std::string_view text, bool at_end, std::string& lines,
                           std::vector<int64_t>& numbers) {
  size_t at = 0;
  if (place_ == Place::start && text.starts_with("\xEF\xBB\xBF")) at = 3;
  while (true) {
    while (at < text.size() && is_white(text[at])) line_ += text[at++] == '\n';
    if (at == text.size()) break;
    const char c = text[at];
    if (place_ == Place::start) {
      place_ = c == '[' ? Place::before_element : Place::sequence;
      at += c == '[';
    } else if (place_ == Place::closed) {
      fail("there is more behind the array's end");
    } else if (place_ == Place::before_element && c == ']') {
      place_ = Place::closed;
      ++at;
    } else if (place_ == Place::behind_element) {
      if (c != ',' && c != ']') fail("a comma is missing between two elements of the array");
      place_ = c == ',' ? Place::before_element : Place::closed;
      ++at;
    } else {
      if (c == ',' || c == ']' || c == '}')
        fail(std::string("\"") + c + "\" stands where a value should begin");
      const size_t length = value_end(text.substr(at), at_end);
      if (length == std::string_view::npos) break;
      numbers.push_back(line_);
      const size_t first = lines.size();
      lines.append(text.substr(at, length));
      line_ += std::count(lines.begin() + static_cast<std::ptrdiff_t>(first), lines.end(), '\n');
      std::replace(lines.begin() + static_cast<std::ptrdiff_t>(first), lines.end(), '\n', ' ');
      lines += '\n';
      at += length;
      if (place_ == Place::before_element) place_ = Place::behind_element;
    }
  }
  const bool inside_array = place_ == Place::before_element || place_ == Place::behind_element;
  if (at_end && (at < text.size() || inside_array)) fail("the JSON ends early");
  return at;
}

}  // namespace muonlab::data
