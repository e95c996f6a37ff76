// Telling the field types of configuration structs apart (muonlab/config/field.hpp names them).
#pragma once

#include <array>
#include <concepts>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "muonlab/config/field.hpp"

namespace muonlab::config {

template <class T>
struct KindOf {
  static constexpr bool optional = false, vector = false, array = false, map = false,
                        variant = false;
};
template <class T>
struct KindOf<std::optional<T>> : KindOf<void> {
  static constexpr bool optional = true;
};
template <class T>
struct KindOf<std::vector<T>> : KindOf<void> {
  static constexpr bool vector = true;
};
template <class T, size_t N>
struct KindOf<std::array<T, N>> : KindOf<void> {
  static constexpr bool array = true;
};
template <class T>
struct KindOf<std::map<std::string, T>> : KindOf<void> {
  static constexpr bool map = true;
};
template <class... T>
struct KindOf<std::variant<T...>> : KindOf<void> {
  static constexpr bool variant = true;
};

template <class T>
concept OptionalField = KindOf<T>::optional;
template <class T>
concept VectorField = KindOf<T>::vector;
template <class T>
concept ArrayField = KindOf<T>::array;
template <class T>
concept MapField = KindOf<T>::map;
template <class T>
concept VariantField = KindOf<T>::variant;
template <class T>
concept EnumField = std::is_enum_v<T>;

struct IgnoreFields {
  template <class M>
  void operator()(std::string_view, M&, const Field&) {}
};
template <class T>
concept StructField = requires(T& t, IgnoreFields visit) {
  T::fields(t, visit);
};

// Calls f.template operator()<Alternative>() for each alternative of a variant.
template <class Variant, class F>
void for_each_alternative(F&& f) {
  [&]<size_t... I>(std::index_sequence<I...>) {
    (f.template operator()<std::variant_alternative_t<I, Variant>>(), ...);
  }
  (std::make_index_sequence<std::variant_size_v<Variant>>{});
}

template <class Variant>
std::vector<std::string> alternative_names() {
  std::vector<std::string> names;
  for_each_alternative<Variant>([&]<class A>() { names.emplace_back(A::kName); });
  return names;
}

template <class Struct>
std::vector<std::string> field_names() {
  std::vector<std::string> names;
  Struct value;
  Struct::fields(value,
                 [&](std::string_view name, auto&, const Field&) { names.emplace_back(name); });
  return names;
}

template <class Enum>
std::vector<std::string> enum_names() {
  return {EnumNames<Enum>::names.begin(), EnumNames<Enum>::names.end()};
}

inline std::string child_path(const std::string& parent, std::string_view name) {
  return parent.empty() ? std::string(name) : parent + "." + std::string(name);
}
inline std::string item_path(const std::string& parent, size_t index) {
  return parent + "[" + std::to_string(index) + "]";
}

}  // namespace muonlab::config
