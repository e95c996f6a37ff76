// A .json file cut into its values: the elements of one array, or values behind each other (a
// single object is one).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace muonlab::data {

class JsonSplitter {
 public:
  explicit JsonSplitter(std::string path) : path_(std::move(path)) {}

  // Takes whole values from the beginning of `text`, appends each as one line to `lines` (line
  // feeds between its parts become spaces) and the number of the line it began in to `numbers`.
  // Returns the bytes taken; the rest comes again with more behind it. Throws Error naming file and
  // line where the values are not put together as JSON wants.
  size_t split(std::string_view text, bool at_end, std::string& lines,
               std::vector<int64_t>& numbers);

 private:
  enum class Place { start, before_element, behind_element, sequence, closed };

  [[noreturn]] void fail(const std::string& what) const;

  std::string path_;
  Place place_ = Place::start;
  int64_t line_ = 1;
};

}  // namespace muonlab::data
