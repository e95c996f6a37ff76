#include "config/value.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::config {

std::string Mark::where() const {
  if (!source) return "configuration";
  if (source->is_setting()) return base::str(source->label, " ", line);
  return base::str(source->label, ":", line, ":", column);
}

Value Value::of(bool v) {
  Value value;
  value.kind = Kind::boolean;
  value.boolean = v;
  return value;
}

Value Value::of(int64_t v) {
  Value value;
  value.kind = Kind::integer;
  value.integer = v;
  value.real = static_cast<double>(v);
  value.text = std::to_string(v);
  return value;
}

Value Value::of(double v) {
  Value value;
  value.kind = Kind::real;
  value.real = v;
  char buffer[32];
  value.text.assign(buffer, std::to_chars(buffer, buffer + sizeof buffer, v).ptr);
  // no integer
  if (value.text.find_first_not_of("-0123456789") == std::string::npos) value.text += ".0";
  return value;
}

Value Value::of(std::string_view v) {
  Value value;
  value.kind = Kind::string;
  value.text = v;
  return value;
}

Value Value::array() {
  Value value;
  value.kind = Kind::array;
  return value;
}

Value Value::object() {
  Value value;
  value.kind = Kind::object;
  return value;
}

const Member* Value::member(std::string_view key) const {
  for (const Member& m : members) {
    if (m.key == key) return &m;
  }
  return nullptr;
}

const Value* Value::find(std::string_view key) const {
  const Member* m = member(key);
  return m ? &m->value : nullptr;
}

Value* Value::find(std::string_view key) {
  return const_cast<Value*>(static_cast<const Value*>(this)->find(key));
}

void Value::set(std::string_view key, Value value) {
  if (Value* old = find(key)) {
    *old = std::move(value);
  } else {
    Mark mark = value.mark;
    members.push_back({std::string(key), std::move(value), mark});
  }
}

void Value::erase(std::string_view key) {
  std::erase_if(members, [&](const Member& m) { return m.key == key; });
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\t': out += "\\t"; break;
      case '\r': out += "\\r"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
          char escape[8];
          std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
          out += escape;
        } else {
          out += c;
        }
    }
  }
  return out + '"';
}

std::string quote(std::string_view text) {
  constexpr size_t kShown = 80;  // characters
  return json_string(base::clip_text(text, kShown));
}

std::string some_of(std::span<const std::string> names) {
  constexpr size_t kShown = 20;
  std::string out =
      base::clip_text(base::join(names.first(std::min(names.size(), kShown)), " "), 400);
  return names.size() <= kShown ? out : base::str(out, " and ", names.size() - kShown, " more");
}

std::string describe(const Value& value) {
  switch (value.kind) {
    case Value::Kind::null: return "null";
    case Value::Kind::boolean: return value.boolean ? "true" : "false";
    case Value::Kind::integer:
    case Value::Kind::real: return "the number " + base::clip_text(value.text, 40);
    case Value::Kind::string: return "the string " + quote(value.text);
    case Value::Kind::array: return "an array";
    case Value::Kind::object: return "an object";
  }
  return "";
}

std::string compact(const Value& value) {
  switch (value.kind) {
    case Value::Kind::null: return "null";
    case Value::Kind::boolean: return value.boolean ? "true" : "false";
    case Value::Kind::integer:
    case Value::Kind::real: return value.text;
    case Value::Kind::string: return json_string(value.text);
    case Value::Kind::array: {
      std::string out = "[";
      for (const Value& item : value.items) out += (out.size() > 1 ? ", " : "") + compact(item);
      return out + "]";
    }
    case Value::Kind::object: {
      std::string out = "{";
      for (const Member& m : value.members) {
        out += (out.size() > 1 ? ", " : "") + json_string(m.key) + ": " + compact(m.value);
      }
      return out + "}";
    }
  }
  return "";
}

namespace {

// Objects of the tree stand over several lines; arrays, and objects in them, on one.
std::string indented(const Value& value, const std::string& indent) {
  const std::string deeper = indent + "  ";
  std::string out;
  if (value.is(Value::Kind::object) && !value.members.empty()) {
    for (const Member& m : value.members) {
      out += (out.empty() ? "{\n" : ",\n") + deeper + json_string(m.key) + ": " +
             indented(m.value, deeper);
    }
    return out + "\n" + indent + "}";
  }
  const bool of_objects = value.is(Value::Kind::array) &&
                          std::any_of(value.items.begin(), value.items.end(),
                                      [](const Value& v) { return v.is(Value::Kind::object); });
  if (!of_objects) return compact(value);
  for (const Value& item : value.items)
    out += (out.empty() ? "[\n" : ",\n") + deeper + compact(item);
  return out + "\n" + indent + "]";
}

// Cuts the first step off "a.b[0].c": a name, or an index.
struct Step {
  std::string_view name;
  size_t index = 0;
  bool is_index = false;
};

Step next_step(std::string_view& path) {
  Step step;
  if (path.front() == '[') {
    const size_t end = path.find(']');
    step.is_index = true;
    std::from_chars(path.data() + 1, path.data() + end, step.index);
    path.remove_prefix(end + 1);
  } else {
    step.name = path.substr(0, path.find_first_of(".["));
    path.remove_prefix(step.name.size());
  }
  if (!path.empty() && path.front() == '.') path.remove_prefix(1);
  return step;
}

const Value* walk(const Value& root, std::string_view path, Mark* last) {
  const Value* here = &root;
  if (last) *last = root.mark;
  while (!path.empty()) {
    const Step step = next_step(path);
    if (step.is_index) {
      here = here->is(Value::Kind::array) && step.index < here->items.size()
                 ? &here->items[step.index]
                 : nullptr;
    } else {
      here = here->find(step.name);
    }
    if (!here) return nullptr;
    if (last && here->mark.source) *last = here->mark;
  }
  return here;
}

}  // namespace

std::string pretty(const Value& value) { return indented(value, "") + "\n"; }

const Value* at_path(const Value& root, std::string_view path) { return walk(root, path, nullptr); }

Mark mark_at(const Value& root, std::string_view path) {
  Mark mark;
  walk(root, path, &mark);
  return mark;
}

}  // namespace muonlab::config
