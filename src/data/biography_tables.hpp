// The lists behind the biographies. Names are joined from syllables, so that no data file is
// needed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace muonlab::data {

// Sizes of the lists (arXiv 2509.26030 §5 and, for cities and dates, Allen-Zhu and Li's bioS).
inline constexpr uint64_t kNumFirstNames = 400, kNumMiddleNames = 400, kNumLastNames = 1000;
inline constexpr uint64_t kNumBirthDates = 12 * 28 * 200, kNumCities = 200, kNumUniversities = 300,
                          kNumMajors = 100, kNumCompanies = 300;

// Entry i of each list; the entries of a list differ from each other.
std::string first_name(uint64_t i);
std::string middle_name(uint64_t i);
std::string last_name(uint64_t i);
std::string birth_date(uint64_t i);  // "February 01, 2063"; years 1900 … 2099
std::string city(uint64_t i);
std::string university(uint64_t i);
std::string major(uint64_t i);
std::string company(uint64_t i);

// A wording, 0 … 5, of the question for an attribute, with {} where the name goes.
std::string_view question_wording(int attribute, int wording);
// Likewise of the sentence that states it, with {} for the name and {fact} for the fact.
std::string_view sentence_wording(int attribute, int wording);

}  // namespace muonlab::data
