// The program's exit codes. This is their one definition; a test compares README.md's list with it.
#pragma once

#include <array>
#include <string_view>

namespace muonlab::base::exit_code {

inline constexpr int kDone = 0;
inline constexpr int kError = 1;
inline constexpr int kWrongInput = 2;
inline constexpr int kNotFinite = 3;
inline constexpr int kInUse = 4;
inline constexpr int kClaimFails = 5;
inline constexpr int kBug = 70;
inline constexpr int kInterrupted = 130;

struct Meaning {
  int code;
  std::string_view text;
};

inline constexpr std::array<Meaning, 8> kMeanings{{
    {kDone, "done"},
    {kError, "an error"},
    {kWrongInput, "a wrong configuration or command line"},
    {kNotFinite, "a loss, gradient or weight that is not finite"},
    {kInUse, "another process has the run"},
    {kClaimFails, "a claim of `muonlab theory` does not hold"},
    {kBug, "a bug in muonlab"},
    {kInterrupted, "interrupted and saved"},
}};

}  // namespace muonlab::base::exit_code
