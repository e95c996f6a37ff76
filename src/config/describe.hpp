// The field lists as documentation: one row a setting.
#pragma once

#include <string>

#include "config/reader.hpp"
#include "config/writer.hpp"

namespace muonlab::config {

// "integer 1 to 20", "number above 0": a number's type with its bounds.
inline std::string bounded(std::string_view type, const Field& field) {
  const bool low = std::isfinite(field.min), high = std::isfinite(field.max);
  std::string text(type);
  if (low && high && !field.above_min)
    return text + " " + plain(field.min) + " to " + plain(field.max);
  if (low) text += (field.above_min ? " > " : " ≥ ") + plain(field.min);
  if (high) text += (low ? ", ≤ " : " ≤ ") + plain(field.max);
  return text;
}

template <class T>
std::string type_text(const Field& field) {
  if constexpr (OptionalField<T>) {
    return type_text<typename T::value_type>(field);
  } else if constexpr (EnumField<T>) {
    return base::join(enum_names<T>(), " | ");
  } else if constexpr (ArrayField<T>) {
    return base::str(std::tuple_size_v<T>, " × ", type_text<typename T::value_type>(field));
  } else if constexpr (VectorField<T>) {
    return "list of " + type_text<typename T::value_type>(field);
  } else if constexpr (std::is_same_v<T, bool>) {
    return "true | false";
  } else if constexpr (std::is_same_v<T, int64_t>) {
    return bounded("integer", field) + (field.automatic ? " | auto" : "");
  } else if constexpr (std::is_same_v<T, double>) {
    return bounded("number", field);
  } else if constexpr (std::is_same_v<T, std::string>) {
    return "text";
  } else {
    return "object";
  }
}

}  // namespace muonlab::config
