// One field list a struct drives everything: reading, strict checking, the resolved dump, the help
// table and the JSON Schema.
//
// A configuration struct has a static member
//   template <class Self, class Visit> static void fields(Self& self, Visit&& visit) {
//     visit("lr", self.lr, Field{.help = "learning rate", .min = 0.0});
//   }
// naming each member once. Field types: bool, int64_t, double, std::string, enums with names
// (below), std::optional of these, std::vector and std::array of these, nested structs,
// std::map<std::string, T>, and std::variant of structs, told apart by the string under the key
// named in TagOf<variant>.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace muonlab::config {

struct Field {
  std::string_view help;
  double min = -std::numeric_limits<double>::infinity();  // numbers (elements, for arrays)
  double max = std::numeric_limits<double>::infinity();
  bool above_min = false;  // the minimum itself is refused: min < x
  // Left out of a resolved configuration while it has its default. For settings that are younger
  // than stored runs, whose resolved configurations must not change.
  bool quiet = false;
  bool automatic = false;  // an integer that may be "auto" as well, kAutomatic
};

// What an integer setting holds that is left to the program.
inline constexpr int64_t kAutomatic = 0;

// Specialize for each enum: static constexpr std::array<std::string_view, N> names, by enumerator.
template <class Enum>
struct EnumNames;

// Specialize for each variant: static constexpr std::string_view key ("rule", "kind"). Every
// alternative has static constexpr std::string_view kName.
template <class Variant>
struct TagOf;

}  // namespace muonlab::config
