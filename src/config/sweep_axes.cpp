#include "config/sweep_axes.hpp"

#include <algorithm>
#include <set>

#include "muonlab/base/text.hpp"

namespace muonlab::config {
namespace {

constexpr std::string_view kNameCharacters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

bool is_name(const std::string& text) {
  return !text.empty() && text.size() <= 60 &&
         text.find_first_not_of(kNameCharacters) == std::string::npos;
}

std::vector<std::string> value_names(const Axis& axis) {
  std::vector<std::string> names;
  for (const AxisValue& value : axis.values) names.push_back(value.name);
  return names;
}

}  // namespace

void AxisReader::read_axes(const Value& axes) {
  if (!axes.is(Kind::object)) return wrong(axes, "axes", "an object of axes by name");
  for (const Member& m : axes.members) {
    const std::string path = child_path("axes", m.key);
    if (!is_name(m.key))
      problems_.add(m.mark, "axes", quote(m.key) + " is no name; letters, digits and _ make one");
    if (!m.value.is(Kind::object) || m.value.members.empty()) {
      wrong(m.value, path, "an object of named settings, or of path and values");
      continue;
    }
    Axis axis;
    axis.name = m.key;
    if (m.value.find("path") || m.value.find("paths")) {
      read_path_axis(m.value, path, axis);
    } else {
      axis.named = true;
      for (const Member& v : m.value.members) {
        if (!is_name(v.key))
          problems_.add(v.mark, path, quote(v.key) + " is no name; letters, digits and _ make one");
        axis.values.push_back({v.key, patch(v.value, child_path(path, v.key))});
      }
    }
    std::set<std::string> names;
    for (const AxisValue& value : axis.values) {
      if (!names.insert(value.name).second)
        problems_.add(m.mark, path, "has the value " + value.name + " twice");
    }
    axes_.push_back(std::move(axis));
  }
}

void AxisReader::read_path_axis(const Value& value, const std::string& path, Axis& axis) {
  known(value, path, {value.find("path") ? "path" : "paths", "values"});
  const Value* one = value.find("path");
  const std::vector<std::string> paths =
      one ? std::vector{text(*one, path + ".path")} : texts(*value.find("paths"), path + ".paths");
  const Value* values = value.find("values");
  if (!values || !values->is(Kind::array) || values->items.empty()) {
    return wrong(values ? *values : value, path + ".values", "an array of values");
  }
  for (size_t i = 0; i < values->items.size(); ++i) {
    const Value& item = values->items[i];
    if (!one && (!item.is(Kind::array) || item.items.size() != paths.size())) {
      wrong(item, item_path(path + ".values", i),
            base::str("an array of ", paths.size(), " values, one a path"));
      continue;
    }
    AxisValue out;
    for (size_t p = 0; p < paths.size(); ++p) {
      const Value& part = one ? item : item.items[p];
      const std::string shown = part.is(Kind::string) ? part.text : compact(part);
      out.name += (p == 0 ? "" : "_") + shown;
      out.settings.push_back(paths[p] + "=" + compact(part));
    }
    std::replace_if(
        out.name.begin(), out.name.end(),
        [](char c) { return kNameCharacters.find(c) == std::string_view::npos && c != '.'; }, '_');
    axis.values.push_back(std::move(out));
  }
}

const Axis* AxisReader::find_axis(const std::string& name) const {
  for (const Axis& axis : axes_) {
    if (axis.name == name) return &axis;
  }
  return nullptr;
}

std::vector<std::string> AxisReader::axis_names() const {
  std::vector<std::string> names;
  for (const Axis& axis : axes_) names.push_back(axis.name);
  return names;
}

void AxisReader::check_value(const Mark& mark, const std::string& path, const Axis& axis,
                             const std::string& name) {
  const std::vector<std::string> names = value_names(axis);
  if (std::find(names.begin(), names.end(), name) != names.end()) return;
  problems_.add(mark, path,
                base::str(quote(name), " is no value of ", axis.name,
                          "; values: ", base::join(names, " "), suggestion(name, names)));
}

Selection AxisReader::selection(const Value& value, const std::string& path) {
  Selection chosen;
  if (!value.is(Kind::object)) wrong(value, path, "an object of axes with the values to take");
  for (const Member& m : value.members) {
    const Axis* axis = find_axis(m.key);
    if (!axis) {
      problems_.add(m.mark, path,
                    base::str(quote(m.key), " is no axis; axes: ", base::join(axis_names(), " "),
                              suggestion(m.key, axis_names())));
      continue;
    }
    const std::vector<Value> items = m.value.is(Kind::array) ? m.value.items : std::vector{m.value};
    for (const Value& item : items) {
      std::string name = item.is(Kind::string) ? item.text : compact(item);
      check_value(item.mark, child_path(path, m.key), *axis, name);
      chosen[m.key].push_back(std::move(name));
    }
  }
  return chosen;
}

}  // namespace muonlab::config
