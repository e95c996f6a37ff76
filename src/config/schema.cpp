#include <nlohmann/json.hpp>

#include "config/describe.hpp"
#include "muonlab/config/load.hpp"

namespace muonlab::config {

namespace {

using Json = nlohmann::ordered_json;

template <class T>
Json schema_of(const Field& field);

// null deletes what a file under this one says, so it may stand anywhere.
Json or_null(Json schema) {
  return {{"anyOf", Json::array({std::move(schema), {{"type", "null"}}})}};
}

template <class T>
Json number_schema(const char* type, const Field& field) {
  Json out{{"type", Json::array({type, "null"})}};
  const auto bound = [&](const char* key, double value) {
    if (std::isfinite(value)) out[key] = static_cast<T>(value);
  };
  bound(field.above_min ? "exclusiveMinimum" : "minimum", field.min);
  bound("maximum", field.max);
  return out;
}

template <class T>
Json struct_schema() {
  const T usual{};
  Json properties = Json::object();
  T::fields(usual, [&](std::string_view name, const auto& member, const Field& field) {
    Json property = schema_of<std::decay_t<decltype(member)>>(field);
    property["description"] = field.help;
    if constexpr (!OptionalField<std::decay_t<decltype(member)>>) {
      const Value value = to_value(member);
      if (!value.is(Value::Kind::object)) property["default"] = Json::parse(compact(value));
    }
    properties[std::string(name)] = std::move(property);
  });
  return {
      {"type", "object"}, {"properties", std::move(properties)}, {"additionalProperties", false}};
}

// The tag may be missing: a file that this one extends may have it.
template <class T>
Json variant_schema() {
  Json choices = Json::array();
  for_each_alternative<T>([&]<class A>() {
    Json choice = struct_schema<A>();
    Json tagged{{std::string(TagOf<T>::key), {{"const", std::string(A::kName)}}}};
    tagged.update(choice["properties"]);
    choice["properties"] = std::move(tagged);
    choices.push_back(std::move(choice));
  });
  choices.push_back({{"type", "null"}});
  return {{"anyOf", std::move(choices)}};
}

template <class T>
Json schema_of(const Field& field) {
  if constexpr (OptionalField<T>) {
    return schema_of<typename T::value_type>(field);
  } else if constexpr (EnumField<T>) {
    Json names = enum_names<T>();
    names.push_back(nullptr);
    return {{"enum", std::move(names)}};
  } else if constexpr (ArrayField<T>) {
    return or_null({{"type", "array"},
                    {"items", schema_of<typename T::value_type>(field)},
                    {"minItems", std::tuple_size_v<T>},
                    {"maxItems", std::tuple_size_v<T>}});
  } else if constexpr (VectorField<T>) {
    return or_null({{"type", "array"}, {"items", schema_of<typename T::value_type>(field)}});
  } else if constexpr (MapField<T>) {
    return or_null(
        {{"type", "object"}, {"additionalProperties", schema_of<typename T::mapped_type>(field)}});
  } else if constexpr (VariantField<T>) {
    return variant_schema<T>();
  } else if constexpr (StructField<T>) {
    return or_null(struct_schema<T>());
  } else if constexpr (std::is_same_v<T, bool>) {
    return {{"type", {"boolean", "null"}}};
  } else if constexpr (std::is_same_v<T, int64_t>) {
    Json number = number_schema<int64_t>("integer", field);
    if (!field.automatic) return number;
    return {{"anyOf", Json::array({std::move(number), {{"const", "auto"}}})}};
  } else if constexpr (std::is_same_v<T, double>) {
    return number_schema<double>("number", field);
  } else {
    return {{"type", {"string", "null"}}};
  }
}

}  // namespace

std::string config_schema() {
  Json schema{{"$schema", "https://json-schema.org/draft/2020-12/schema"},
              {"title", "muonlab configuration"}};
  schema.update(struct_schema<RunConfig>());
  schema["properties"]["extends"] = {{"type", {"string", "null"}},
                                     {"description", "a file to start from, relative to this one"}};
  return schema.dump(2) + "\n";
}

}  // namespace muonlab::config
