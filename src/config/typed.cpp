#include "muonlab/config/typed.hpp"

#include <memory>

#include "config/describe.hpp"
#include "config/json.hpp"
#include "config/merge.hpp"
#include "config/reader.hpp"
#include "config/writer.hpp"
#include "muonlab/base/file.hpp"

namespace muonlab::config {
namespace {

// A struct whose field list is known at run time only.
struct TypedStruct {
  std::span<const TypedField> list;

  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    for (const TypedField& field : self.list)
      std::visit([&](auto* target) { visit(field.name, *target, field.field); }, field.target);
  }
};

Value read_typed_file(const std::string& path, Problems& problems) {
  base::FileSystem& files = base::real_file_system();
  std::string text;
  try {
    if (files.exists(path) && !files.is_directory(path) && files.size(path) > kMaxBytes)
      throw base::Error(path, " is larger than ", kMaxBytes, " bytes: no configuration");
    text = base::read_text(path);
  } catch (const base::Error& error) {
    throw ConfigError({{"", "", error.what()}});  // it begins with the path
  }
  const auto source =
      std::make_shared<const Source>(Source{path, base::parent_path(path), Source::file});
  Value tree = parse_json(text, source, problems);
  problems.raise();
  if (!tree.is(Value::Kind::object))
    problems.add(tree.mark, "", "expected an object, got " + describe(tree));
  problems.raise();
  return tree;
}

}  // namespace

void read_typed(std::span<const TypedField> fields, const std::string& path,
                const std::vector<std::string>& settings,
                const std::function<void(const Fail&)>& check) {
  Problems problems;
  Value tree = path.empty() ? Value::object() : read_typed_file(path, problems);
  const auto source = std::make_shared<const Source>(Source{"--set", ".", Source::setting});
  for (size_t i = 0; i < settings.size(); ++i) {
    const Setting setting = parse_setting(settings[i], source, static_cast<int>(i + 1), problems);
    if (!setting.steps.empty()) apply_setting(tree, setting, problems);
  }
  TypedStruct value{fields};
  Reader(problems).read(tree, "", value);
  problems.raise();
  check([&](const std::string& name, const std::string& text) {
    problems.add(mark_at(tree, name), name, text);
  });
  problems.raise();
}

std::string dump_typed(std::span<const TypedField> fields) {
  return pretty(to_value(TypedStruct{fields}));
}

std::vector<SettingRow> typed_rows(std::span<const TypedField> fields) {
  std::vector<SettingRow> rows;
  const TypedStruct value{fields};
  TypedStruct::fields(value, [&](std::string_view name, const auto& member, const Field& field) {
    rows.push_back({std::string(name), type_text<std::decay_t<decltype(member)>>(field),
                    compact(to_value(member)), std::string(field.help)});
  });
  return rows;
}

}  // namespace muonlab::config
