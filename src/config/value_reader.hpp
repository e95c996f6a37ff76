// Reading values of no fixed struct: what is wrong is added to the problems, with its place.
#pragma once

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "config/problems.hpp"
#include "config/reader.hpp"
#include "muonlab/config/sweep.hpp"

namespace muonlab::config {

class ValueReader {
 protected:
  using Kind = Value::Kind;
  explicit ValueReader(Problems& problems) : problems_(problems) {}

  void wrong(const Value& value, const std::string& path, std::string_view expected) {
    problems_.add(value.mark, path, base::str("expected ", expected, ", got ", describe(value)));
  }

  void known(const Value& value, const std::string& path, const std::vector<std::string>& keys) {
    if (!value.is(Kind::object)) return wrong(value, path, "an object");
    for (const Member& m : value.members) {
      if (std::find(keys.begin(), keys.end(), m.key) == keys.end()) {
        problems_.add(m.mark, path, "unknown key " + quote(m.key) + suggestion(m.key, keys));
      }
    }
  }

  std::string text(const Value& value, const std::string& path) {
    if (!value.is(Kind::string)) wrong(value, path, "a string");
    return value.is(Kind::string) ? value.text : "";
  }

  // {"path": value, …} as settings.
  Settings patch(const Value& value, const std::string& path) {
    Settings settings;
    if (!value.is(Kind::object)) wrong(value, path, "an object of settings");
    for (const Member& m : value.members)
      settings.push_back({m.key + "=" + compact(m.value), m.mark.where()});
    return settings;
  }

  std::vector<std::string> texts(const Value& value, const std::string& path) {
    if (value.is(Kind::string)) return {value.text};
    std::vector<std::string> list;
    if (!value.is(Kind::array) || value.items.empty())
      wrong(value, path, "a string or an array of strings");
    for (size_t i = 0; i < value.items.size(); ++i)
      list.push_back(text(value.items[i], item_path(path, i)));
    return list;
  }

  std::vector<int64_t> distinct_integers(const Value& value, const std::string& path) {
    const bool whole = value.is(Kind::array) && !value.items.empty() &&
                       std::all_of(value.items.begin(), value.items.end(),
                                   [](const Value& v) { return v.is(Kind::integer); });
    if (!whole) wrong(value, path, "an array of integers");
    if (!whole) return {};
    std::vector<int64_t> list;
    std::set<int64_t> seen;
    for (const Value& item : value.items) {
      if (!seen.insert(item.integer).second)
        problems_.add(item.mark, path, base::str("has ", item.integer, " twice"));
      list.push_back(item.integer);
    }
    return list;
  }

  Problems& problems_;
};

}  // namespace muonlab::config
