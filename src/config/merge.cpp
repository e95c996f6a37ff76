#include "config/merge.hpp"

#include <charconv>
#include <unordered_map>

#include "config/json.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::config {

namespace {

bool chooses(std::string_view key) { return key == "rule" || key == "kind"; }

bool changes_kind(const Value& under, const Value& over) {
  for (const char* key : {"rule", "kind"}) {
    const Value* after = over.find(key);
    if (!after || !after->is(Value::Kind::string)) continue;
    const Value* before = under.find(key);
    if (before && before->text != after->text) return true;
  }
  return false;
}

// Nulls in an object that replaces another delete nothing: they only vanish.
void drop_nulls(Value& value) {
  std::erase_if(value.members, [](const Member& m) { return m.value.is(Value::Kind::null); });
  for (Member& m : value.members) drop_nulls(m.value);
}

void place_marks(Value& value, const Mark& mark, const std::string& raw) {
  value.mark = mark;
  value.raw = raw;
  for (Value& item : value.items) place_marks(item, mark, compact(item));
  for (Member& m : value.members) {
    m.mark = mark;
    place_marks(m.value, mark, compact(m.value));
  }
}

// The setting from step i on, as the objects that say the same.
Value nested(const Setting& setting, size_t i) {
  if (i == setting.steps.size()) return setting.value;
  Value outer = Value::object();
  outer.mark = setting.value.mark;
  outer.set(setting.steps[i], nested(setting, i + 1));
  outer.members.front().mark = outer.mark;
  return outer;
}

void apply(Value& here, const Setting& setting, size_t i, Problems& problems) {
  if (i == setting.steps.size()) return merge(here, setting.value);
  const std::string& step = setting.steps[i];
  const std::string path = base::join(std::span(setting.steps).first(i), ".");
  if (here.is(Value::Kind::array)) {
    size_t index = 0;
    const auto [end, error] = std::from_chars(step.data(), step.data() + step.size(), index);
    if (error == std::errc() && end == step.data() + step.size() && index < here.items.size()) {
      return apply(here.items[index], setting, i + 1, problems);
    }
    problems.add(setting.value.mark, path,
                 base::str(quote(step), " is no index; it has ", here.items.size(),
                           " entries, counted from 0"));
  } else if (!here.is(Value::Kind::object)) {
    problems.add(setting.value.mark, path,
                 base::str("is ", describe(here), " and has no ", quote(step)));
  } else if (Value* next = here.find(step); next && i + 1 < setting.steps.size()) {
    apply(*next, setting, i + 1, problems);
  } else {
    Value over = nested(setting, i);
    over.mark = here.mark;
    merge(here, std::move(over));
  }
}

}  // namespace

void merge(Value& under, Value over) {
  using Kind = Value::Kind;
  if (!under.is(Kind::object) || !over.is(Kind::object) || changes_kind(under, over)) {
    under = std::move(over);
    drop_nulls(under);
    return;
  }
  under.mark = over.mark;
  std::unordered_map<std::string, size_t> slots;
  for (size_t i = 0; i < under.members.size(); ++i) slots.emplace(under.members[i].key, i);
  std::vector<bool> gone(under.members.size() + over.members.size(), false);
  for (Member& m : over.members) {
    const auto [slot, is_new] = slots.try_emplace(m.key, under.members.size());
    if (is_new && !m.value.is(Kind::null)) {
      drop_nulls(m.value);
      under.members.push_back(std::move(m));
    } else if (is_new) {
      slots.erase(slot);
    } else if (m.value.is(Kind::null)) {
      gone[slot->second] = true;
    } else {
      merge(under.members[slot->second].value, std::move(m.value));
      under.members[slot->second].mark = m.mark;
    }
  }
  size_t i = 0;
  std::erase_if(under.members, [&](const Member&) { return gone[i++]; });
}

bool Setting::chooses_kind() const { return !steps.empty() && chooses(steps.back()); }

Setting parse_setting(const std::string& text, const std::shared_ptr<const Source>& source,
                      int number, Problems& problems) {
  const Mark mark{source, number, 1};
  Setting setting;
  if (!base::is_valid_utf8(text)) {
    problems.add(mark, "", "is not UTF-8; a path in a setting must be, so rename the file");
    return setting;
  }
  const size_t equals = text.find('=');
  std::string path(base::trim(std::string_view(text).substr(0, equals)));
  for (size_t i = 0; (i = path.find('[', i)) != std::string::npos;) {  // a[0] is a.0
    const size_t end = path.find(']', i);
    if (end == std::string::npos) break;
    path.replace(end, 1, "");
    path.replace(i, 1, ".");
  }
  if (equals == std::string::npos || path.empty()) {
    problems.add(mark, "", quote(text) + " is no setting; write path=value, as in train.steps=100");
    return setting;
  }
  setting.steps = base::split(path, '.');
  for (const std::string& step : setting.steps) {
    if (!step.empty()) continue;
    problems.add(mark, "",
                 quote(path) + " has an empty step; write path=value, as in train.steps=100");
    setting.steps.clear();
    return setting;
  }
  const std::string raw(base::trim(std::string_view(text).substr(equals + 1)));
  Problems own;
  setting.value = parse_json(raw, source, own);
  if (!own.empty()) {
    // Bare words are strings, but what opens like JSON was meant as JSON.
    if (raw.find_first_of("{[\"") == 0) {
      try {
        own.raise();
      } catch (const ConfigError& e) {
        problems.add(mark, path, e.problems().front().text);
      }
      setting.steps.clear();
      return setting;
    }
    setting.value = Value::of(std::string_view(raw));
  }
  place_marks(setting.value, mark, raw);
  return setting;
}

void apply_setting(Value& root, const Setting& setting, Problems& problems) {
  apply(root, setting, 0, problems);
}

}  // namespace muonlab::config
