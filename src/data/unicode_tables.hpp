// The text of the Unicode tables, numbers in base 36 with spaces between them
// (scripts/unicode_tables makes them).
#pragma once

#include <string_view>

namespace muonlab::data {

// From U+0000 on, runs of one general category: length * 30 + index in kCategoryNames
// (unicode.cpp).
extern const std::string_view kCategoryRuns;
// Canonical combining classes other than 0: code points skipped since the run before, length,
// class.
extern const std::string_view kCombiningRuns;
// Canonical decompositions without Hangul: distance to the code point before, first part, second
// part (0: none). "-" before the distance: the parts are never composed again.
extern const std::string_view kDecompositions;

}  // namespace muonlab::data
