// Structs into values, in field order; absent optionals are left out, and quiet fields that have
// their defaults.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "config/kinds.hpp"
#include "config/value.hpp"

namespace muonlab::config {

template <class T>
Value to_value(const T& in);

// The defaults of a struct's quiet fields, as text.
template <class T>
const std::map<std::string_view, std::string>& quiet_defaults() {
  static const std::map<std::string_view, std::string> kDefaults = [] {
    std::map<std::string_view, std::string> texts;
    const T usual{};
    T::fields(usual, [&](std::string_view name, const auto& member, const Field& field) {
      if constexpr (!OptionalField<std::decay_t<decltype(member)>>) {
        if (field.quiet) texts[name] = compact(to_value(member));
      }
    });
    return texts;
  }();
  return kDefaults;
}

template <class T>
Value to_value(const T& in) {
  if constexpr (EnumField<T>) {
    return Value::of(EnumNames<T>::names[static_cast<size_t>(in)]);
  } else if constexpr (VectorField<T> || ArrayField<T>) {
    Value out = Value::array();
    for (const auto& item : in) out.items.push_back(to_value(item));
    return out;
  } else if constexpr (MapField<T>) {
    Value out = Value::object();
    for (const auto& [name, item] : in) out.set(name, to_value(item));
    return out;
  } else if constexpr (VariantField<T>) {
    return std::visit(
        [](const auto& chosen) {
          Value out = Value::object();
          out.set(TagOf<T>::key, Value::of(std::string_view(chosen.kName)));
          for (const Member& m : to_value(chosen).members) out.set(m.key, m.value);
          return out;
        },
        in);
  } else if constexpr (StructField<T>) {
    Value out = Value::object();
    T::fields(in, [&](std::string_view name, const auto& member, const Field& field) {
      if constexpr (OptionalField<std::decay_t<decltype(member)>>) {
        if (!member) return;
        Value value = to_value(*member);
        if (field.automatic && value.is(Value::Kind::integer) && value.integer == kAutomatic)
          value = Value::of(std::string_view("auto"));
        out.set(name, std::move(value));
      } else {
        Value value = to_value(member);
        if (field.quiet && compact(value) == quiet_defaults<T>().at(name)) return;
        out.set(name, std::move(value));
      }
    });
    return out;
  } else {
    return Value::of(in);
  }
}

}  // namespace muonlab::config
