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

// The values of a path are named by what they are: "64", "1e_05".
std::string value_name(const Value& value) {
  std::string name = value.is(Value::Kind::string) ? value.text : compact(value);
  std::replace_if(
      name.begin(), name.end(),
      [](char c) { return kNameCharacters.find(c) == std::string_view::npos && c != '.'; }, '_');
  return name;
}

// Equal for 0.003 and 3e-3.
std::string spelled_alike(const Value& value) {
  if (value.is(Value::Kind::integer) || value.is(Value::Kind::real))
    return compact(Value::of(value.real));
  if (!value.is(Value::Kind::array)) return compact(value);
  std::string text;
  for (const Value& item : value.items) text += spelled_alike(item) + ",";
  return text;
}

// The values' names for a message, the first ones where there are many.
std::string listed(const std::vector<AxisValue>& values) {
  constexpr size_t kShown = 20;
  std::string text;
  for (size_t i = 0; i < std::min(values.size(), kShown); ++i)
    text += " " + base::clip_text(values[i].name, 60);
  return values.size() <= kShown ? text : base::str(text, " … (", values.size(), " in all)");
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
      read_named_axis(m.value, path, axis);
    }
    axes_.push_back(std::move(axis));
  }
  overlap_.check_axes(problems_);
}

void AxisReader::add_value(Axis& axis, AxisValue value, const Mark& mark, const std::string& path) {
  if (!names_[axis.name].insert(value.name).second)
    problems_.add(mark, path, "has the value " + value.name + " twice");
  axis.values.push_back(std::move(value));
}

void AxisReader::read_named_axis(const Value& value, const std::string& path, Axis& axis) {
  axis.named = true;
  for (const Member& v : value.members) {
    const std::string below = child_path(path, v.key);
    if (!is_name(v.key))
      problems_.add(v.mark, path, quote(v.key) + " is no name; letters, digits and _ make one");
    for (const Member& setting : v.value.members) {
      if (!refuse_given_by_sweep(setting.key, nullptr, setting.mark, below, problems_))
        overlap_.add(axis.name, v.key, setting.key, setting.value, setting.mark);
    }
    add_value(axis, {v.key, patch(v.value, below)}, v.mark, path);
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
  std::set<std::string> set_here;
  for (const std::string& swept : paths) {
    refuse_given_by_sweep(swept, one ? values : nullptr, value.members.front().mark, path,
                          problems_);
    if (!set_here.insert(swept).second)
      problems_.add(value.members.front().mark, path, "sets " + quote(swept) + " twice");
  }
  std::set<std::string> spellings;
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
      out.name += (p == 0 ? "" : "_") + value_name(part);
      out.settings.push_back({paths[p] + "=" + compact(part), part.mark.where()});
    }
    const bool is_new = spellings.insert(spelled_alike(item)).second;
    if (!is_new && !names_[axis.name].contains(out.name)) {
      problems_.add(item.mark, path, "has the value " + out.name + " twice, spelled differently");
      continue;
    }
    for (size_t p = 0; p < paths.size(); ++p)
      overlap_.add(axis.name, out.name, paths[p], one ? item : item.items[p], item.mark);
    add_value(axis, std::move(out), item.mark, path);
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
  constexpr size_t kEnough = 100;  // problems, before the nearest name is looked for
  const std::set<std::string>& names = names_[axis.name];
  if (names.contains(name)) return;
  std::vector<std::string> candidates;
  if (problems_.size() < kEnough) candidates.assign(names.begin(), names.end());
  problems_.add(mark, path,
                base::str(quote(base::clip_text(name, 60)), " is no value of ", axis.name,
                          "; values:", listed(axis.values), suggestion(name, candidates)));
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
      std::string name = value_name(item);
      check_value(item.mark, child_path(path, m.key), *axis, name);
      std::vector<std::string>& names = chosen[m.key];
      if (std::find(names.begin(), names.end(), name) == names.end())
        names.push_back(std::move(name));
    }
  }
  return chosen;
}

}  // namespace muonlab::config
