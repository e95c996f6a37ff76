// Values into structs, strictly: an unknown key, a wrong type, a number out of range and a bad
// choice are each a problem with its place and, where there is one, the nearest valid name. Absent
// keys leave the default.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>

#include "config/hints.hpp"
#include "config/kinds.hpp"
#include "config/problems.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::config {

// `; did you mean "x"?`, or nothing.
inline std::string suggestion(std::string_view name, const std::vector<std::string>& candidates) {
  const auto near = base::nearest(name, candidates);
  return near ? "; did you mean " + quote(*near) + "?" : "";
}

// A number as a message shows it.
inline std::string plain(double value) {
  return value == std::floor(value) && std::abs(value) < 1e15
             ? std::to_string(static_cast<int64_t>(value))
             : Value::of(value).text;
}

class Reader {
 public:
  static constexpr size_t kMaxNames = 1000;  // of optimizers
  static constexpr size_t kMaxNameLength = 100;

  explicit Reader(Problems& problems) : problems_(problems) {}

  template <StructField T>
  void read(const Value& value, const std::string& path, T& out) {
    read_struct(value, path, out, "");
  }

 private:
  using Kind = Value::Kind;

  void wrong(const Value& value, const std::string& path, std::string_view expected) {
    problems_.add(value.mark, path, base::str("expected ", expected, ", got ", describe(value)));
  }

  // A refused number leaves the default, so that checks of other settings do not stumble over it.
  template <class T>
  void store(const Value& value, const std::string& path, const Field& field, T number, T& out) {
    const double x = static_cast<double>(number);
    if (field.above_min && x <= field.min) {
      problems_.add(value.mark, path, base::str(value.text, " is not above ", plain(field.min)));
    } else if (x < field.min) {
      problems_.add(value.mark, path,
                    base::str(value.text, " is below the minimum ", plain(field.min)));
    } else if (x > field.max) {
      problems_.add(value.mark, path,
                    base::str(value.text, " is above the maximum ", plain(field.max)));
    } else {
      out = number;
    }
  }

  void field(const Value& value, const std::string& path, const Field&, bool& out) {
    if (!value.is(Kind::boolean)) return wrong(value, path, "true or false");
    out = value.boolean;
  }

  void field(const Value& value, const std::string& path, const Field& field, int64_t& out) {
    if (field.automatic && value.is(Kind::string) && value.text == "auto") {
      out = kAutomatic;
      return;
    }
    if (value.is(Kind::real)) {
      const bool whole = value.real == std::floor(value.real);
      if (whole && std::abs(value.real) < 9e18) {
        problems_.add(value.mark, path,
                      base::str("expected an integer, got the number ", value.text, "; write ",
                                static_cast<int64_t>(value.real)));
        return;
      }
      return wrong(value, path, whole ? "an integer of at most 64 bits" : "an integer");
    }
    if (!value.is(Kind::integer))
      return wrong(value, path, field.automatic ? "an integer or \"auto\"" : "an integer");
    store(value, path, field, value.integer, out);
  }

  void field(const Value& value, const std::string& path, const Field& field, double& out) {
    if (!value.is(Kind::integer) && !value.is(Kind::real)) return wrong(value, path, "a number");
    store(value, path, field, value.real, out);
  }

  void field(const Value& value, const std::string& path, const Field&, std::string& out) {
    const bool bare = !value.raw.empty() && !value.is(Kind::array) && !value.is(Kind::object);
    if (!value.is(Kind::string) && !bare) return wrong(value, path, "a string");
    const std::string& text = value.is(Kind::string) ? value.text : value.raw;
    if (text.find('\0') != std::string::npos)
      return problems_.add(value.mark, path, "holds a NUL character");
    out = text;
  }

  template <EnumField T>
  void field(const Value& value, const std::string& path, const Field&, T& out) {
    const std::vector<std::string> names = enum_names<T>();
    if (!value.is(Kind::string)) {
      return wrong(value, path, "one of " + base::join(names, " "));
    }
    const auto found = std::find(names.begin(), names.end(), value.text);
    if (found == names.end()) return no_choice(value, path, names);
    out = static_cast<T>(found - names.begin());
  }

  void no_choice(const Value& value, const std::string& path,
                 const std::vector<std::string>& names) {
    problems_.add(value.mark, path,
                  base::str(quote(value.text), " is no choice; choices: ", base::join(names, " "),
                            problems_.crowded() ? "" : suggestion(value.text, names)));
  }

  template <OptionalField T>
  void field(const Value& value, const std::string& path, const Field& f, T& out) {
    using Inner = typename T::value_type;
    Inner inner{};
    const size_t before = problems_.size();
    if constexpr (VariantField<Inner>) {
      variant(value, path, inner, /*has_default=*/false);
    } else {
      field(value, path, f, inner);
    }
    if (problems_.size() == before) out = std::move(inner);
  }

  template <VectorField T>
  void field(const Value& value, const std::string& path, const Field& f, T& out) {
    if (!value.is(Kind::array)) return wrong(value, path, "an array");
    out.assign(value.items.size(), {});
    for (size_t i = 0; i < out.size(); ++i) field(value.items[i], item_path(path, i), f, out[i]);
  }

  template <ArrayField T>
  void field(const Value& value, const std::string& path, const Field& f, T& out) {
    if (!value.is(Kind::array))
      return wrong(value, path, base::str("an array of ", out.size(), " values"));
    if (value.items.size() != out.size()) {
      problems_.add(value.mark, path,
                    base::str("expected ", out.size(), " values, got ", value.items.size()));
      return;
    }
    for (size_t i = 0; i < out.size(); ++i) field(value.items[i], item_path(path, i), f, out[i]);
  }

  template <MapField T>
  void field(const Value& value, const std::string& path, const Field& f, T& out) {
    if (!value.is(Kind::object)) return wrong(value, path, "an object");
    if (value.members.size() > kMaxNames) {
      problems_.add(value.mark, path,
                    base::str(value.members.size(), " of them; at most ", kMaxNames, " are read"));
      return;
    }
    out.clear();
    for (const Member& m : value.members) {
      constexpr std::string_view kAllowed =
          "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
      if (m.key.empty() || m.key.find_first_not_of(kAllowed) != std::string::npos) {
        problems_.add(m.mark, path,
                      quote(m.key) + " is no name; letters, digits, _ and - make one");
        continue;
      }
      if (m.key.size() > kMaxNameLength) {
        problems_.add(m.mark, path,
                      base::str(quote(m.key), " is longer than ", kMaxNameLength, " characters"));
        continue;
      }
      if (m.value.is(Kind::null)) continue;
      if constexpr (VariantField<typename T::mapped_type>) {
        variant(m.value, child_path(path, m.key), out[m.key], /*has_default=*/false);
      } else {
        field(m.value, child_path(path, m.key), f, out[m.key]);
      }
    }
  }

  template <VariantField T>
  void field(const Value& value, const std::string& path, const Field&, T& out) {
    variant(value, path, out, /*has_default=*/true);
  }

  template <StructField T>
  void field(const Value& value, const std::string& path, const Field&, T& out) {
    read_struct(value, path, out, "");
  }

  template <class T>
  void variant(const Value& value, const std::string& path, T& out, bool has_default) {
    constexpr std::string_view kKey = TagOf<T>::key;
    if (!value.is(Kind::object)) return wrong(value, path, "an object");
    const Value* tag = value.find(kKey);
    const std::vector<std::string> names = alternative_names<T>();
    if (tag && !tag->is(Kind::string)) return wrong(*tag, child_path(path, kKey), "a string");
    if (!tag && !has_default) {
      problems_.add(value.mark, path,
                    base::str("\"", kKey, "\" is missing; choices: ", base::join(names, " ")));
      return;
    }
    bool known = !tag;
    for_each_alternative<T>([&]<class A>() {
      if (!tag || tag->text != A::kName) return;
      known = true;
      if (!std::holds_alternative<A>(out)) out = A{};
    });
    if (!known) return no_choice(*tag, child_path(path, kKey), names);
    std::visit(
        [&](auto& chosen) {
          read_struct(value, path, chosen, kKey);
          foreign_keys<T>(value, path, chosen, kKey);
        },
        out);
  }

  std::string hint(const std::string& path, const std::string& key,
                   const std::vector<std::string>& known) {
    return problems_.crowded() ? "" : key_hint(path, key, known);
  }

  // Keys that another alternative has, but not this one.
  template <class T, class A>
  void foreign_keys(const Value& value, const std::string& path, const A&,
                    std::string_view tag_key) {
    const std::vector<std::string> own = field_names<A>();
    for (const Member& m : value.members) {
      if (m.key == tag_key || std::find(own.begin(), own.end(), m.key) != own.end()) continue;
      std::vector<std::string> owners;
      for_each_alternative<T>([&]<class B>() {
        const auto names = field_names<B>();
        if (std::find(names.begin(), names.end(), m.key) != names.end())
          owners.emplace_back(B::kName);
      });
      const std::string belongs =
          owners.empty() ? hint(path, m.key, own) : "; it belongs to " + base::join(owners, " ");
      problems_.add(m.mark, path,
                    base::str("unknown key ", quote(m.key), " for the ", tag_key, " ",
                              quote(A::kName), belongs));
    }
  }

  template <class T>
  void read_struct(const Value& value, const std::string& path, T& out, std::string_view tag_key) {
    if (!value.is(Kind::object)) return wrong(value, path, "an object");
    std::vector<std::string> known;
    T::fields(out, [&](std::string_view name, auto& member, const Field& f) {
      known.emplace_back(name);
      const Value* v = value.find(name);
      if (v && !v->is(Kind::null)) field(*v, child_path(path, name), f, member);
    });
    if (!tag_key.empty()) return;  // the caller looks for unknown keys
    for (const Member& m : value.members) {
      if (std::find(known.begin(), known.end(), m.key) == known.end()) {
        problems_.add(m.mark, path, "unknown key " + quote(m.key) + hint(path, m.key, known));
      }
    }
  }

  Problems& problems_;
};

}  // namespace muonlab::config
