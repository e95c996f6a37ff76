#include "config/describe.hpp"
#include "muonlab/base/usage_error.hpp"
#include "muonlab/config/load.hpp"

namespace muonlab::config {

namespace {

template <class T>
constexpr bool is_list_of_structs = false;
template <StructField T>
constexpr bool is_list_of_structs<std::vector<T>> = true;

class TableMaker {
 public:
  std::vector<SettingRow> make() {
    rows_.push_back({"extends", "text", "",
                     "a configuration to start from; its path is relative to this file"});
    struct_rows("", RunConfig{});
    return std::move(rows_);
  }

 private:
  template <class T>
  void struct_rows(const std::string& path, const T& value) {
    T::fields(value, [&](std::string_view name, const auto& member, const Field& field) {
      member_rows(child_path(path, name), member, field);
    });
  }

  template <class T>
  void member_rows(const std::string& path, const T& member, const Field& field) {
    const std::string help(field.help);
    if constexpr (VariantField<T>) {
      variant_rows(path, member, field);
    } else if constexpr (MapField<T>) {
      rows_.push_back({path, "object", "", help});
      if constexpr (VariantField<typename T::mapped_type>) {
        variant_rows(path + ".NAME", typename T::mapped_type{},
                     Field{.help = "how the optimizer updates its parameters"},
                     /*has_default=*/false);
      } else {
        rows_.push_back({path + ".NAME", type_text<typename T::mapped_type>(field), "",
                         "shard files, or folders of them"});
      }
    } else if constexpr (is_list_of_structs<T>) {
      rows_.push_back({path, "list of objects", "", help});
      const typename T::value_type usual;
      T::value_type::fields(usual, [&](std::string_view name, const auto& m, const Field& f) {
        using M = std::decay_t<decltype(m)>;
        rows_.push_back(
            {path + "[N]." + std::string(name), type_text<M>(f), "", std::string(f.help)});
      });
    } else if constexpr (StructField<T>) {
      struct_rows(path, member);
    } else if constexpr (OptionalField<T>) {
      if constexpr (VariantField<typename T::value_type>) {
        rows_.push_back({path, "like schedule", "", help});
      } else if constexpr (StructField<typename T::value_type>) {
        rows_.push_back({path, "object", "", help});
        struct_rows(path, typename T::value_type{});
      } else {
        rows_.push_back({path, type_text<T>(field), "", help});
      }
    } else {
      const std::string usual = compact(to_value(member));
      rows_.push_back(
          {path, type_text<T>(field), usual == "\"\"" || usual == "[]" ? "" : usual, help});
    }
  }

  template <class T>
  void variant_rows(const std::string& path, const T& usual, const Field& field,
                    bool has_default = true) {
    constexpr std::string_view kKey = TagOf<T>::key;
    const std::string name =
        std::visit([](const auto& chosen) { return quote(chosen.kName); }, usual);
    rows_.push_back({child_path(path, kKey), base::join(alternative_names<T>(), " | "),
                     has_default ? name : "", std::string(field.help)});
    for_each_alternative<T>(
        [&]<class A>() { struct_rows(base::str(path, "[", kKey, "=", A::kName, "]"), A{}); });
  }

  std::vector<SettingRow> rows_;
};

std::string escaped(std::string text) {
  for (size_t i = 0; (i = text.find('|', i)) != std::string::npos; i += 2) text.insert(i, "\\");
  return text;
}

std::string code(const std::string& text) { return text.empty() ? "" : "`" + text + "`"; }

}  // namespace

std::vector<SettingRow> config_table() { return TableMaker().make(); }

std::string config_markdown() {
  std::string out = "| setting | type | default | meaning |\n|---|---|---|---|\n";
  for (const SettingRow& row : config_table()) {
    out += base::str("| ", code(row.path), " | ", escaped(row.type), " | ", code(row.default_value),
                     " | ", escaped(row.help), " |\n");
  }
  return out;
}

std::vector<SettingRow> explain_setting(std::string_view path) {
  const auto bare = [](std::string_view text) {  // without the conditions in brackets
    std::string out;
    bool inside = false;
    for (char c : text) {
      if (c == '[') inside = true;
      if (!inside) out += c;
      if (c == ']') inside = false;
    }
    return out;
  };
  const auto fits = [](const std::string& row, const std::vector<std::string>& steps) {
    const std::vector<std::string> have = base::split(row, '.');
    if (have.size() < steps.size()) return false;
    for (size_t i = 0; i < steps.size(); ++i) {
      if (have[i] != steps[i] && have[i] != "NAME") return false;
    }
    return true;
  };
  std::vector<SettingRow> rows = config_table();
  if (path.empty()) return rows;
  std::vector<std::string> steps = base::split(bare(path), '.');
  std::erase_if(steps, [](const std::string& s) {
    return s.find_first_not_of("0123456789") == std::string::npos;
  });
  std::vector<std::string> known;
  for (const SettingRow& row : rows) known.push_back(bare(row.path));
  std::erase_if(rows, [&](const SettingRow& row) {
    if (row.path.starts_with(path)) return false;
    return path.find('=') != std::string_view::npos || !fits(bare(row.path), steps);
  });
  if (rows.empty()) {
    throw base::UsageError(quote(path), " is no setting", suggestion(path, known),
                           "; `muonlab config explain` lists all");
  }
  return rows;
}

}  // namespace muonlab::config
