// The strict reading of configurations for structs other than RunConfig: one JSON file and --set
// into a flat struct with a field list (field.hpp), with the same messages.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "muonlab/config/field.hpp"
#include "muonlab/config/load.hpp"

namespace muonlab::config {

struct TypedField {
  std::string name;
  Field field;
  std::variant<bool*, int64_t*, double*, std::string*, std::vector<int64_t>*, std::vector<double>*,
               std::vector<std::string>*>
      target;
};

// The fields of a struct; the pointers are valid as long as it is.
template <class Struct>
std::vector<TypedField> typed_fields(Struct& value) {
  std::vector<TypedField> fields;
  Struct::fields(value, [&](std::string_view name, auto& member, const Field& field) {
    fields.push_back({std::string(name), field, &member});
  });
  return fields;
}

// What the fields alone cannot say: fail("facts", "999 is not divisible by 3").
using Fail = std::function<void(const std::string& name, const std::string& text)>;

// Reads FILE (none where the path is empty) and then "name=value" settings into the fields; what
// neither names keeps its value. `check` is called if all fields could be read. Throws ConfigError
// with all problems and their places.
void read_typed(std::span<const TypedField> fields, const std::string& path,
                const std::vector<std::string>& settings,
                const std::function<void(const Fail&)>& check);
// The values as JSON, in the order of the fields.
std::string dump_typed(std::span<const TypedField> fields);
// Name, type, default (the present value) and meaning of every field.
std::vector<SettingRow> typed_rows(std::span<const TypedField> fields);

}  // namespace muonlab::config
