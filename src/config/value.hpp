// A JSON value that remembers where it was written, through merging and into every message.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace muonlab::config {

// Where text came from. Later layers win; own layers are what the user wrote for this run, so that
// a setting without effect in them is a mistake, not an inheritance.
struct Source {
  enum Layer { defaults = 0, base = 1, file = 1000, swept = 1001, setting = 1002 };
  std::string label;   // the file as the user would type it, or "--set"
  std::string folder;  // paths of "extends" and "from" start here
  int layer = defaults;
  bool own() const { return layer == file || layer == setting; }
  bool is_setting() const { return layer >= swept; }
};

struct Mark {
  std::shared_ptr<const Source> source;
  int line = 0;    // of the file, from 1; for settings, which one, from 1
  int column = 0;  // in characters, from 1
  std::string where() const;
  int layer() const { return source ? source->layer : Source::defaults; }
  bool own() const { return source && source->own(); }
};

struct Member;

struct Value {
  enum class Kind { null, boolean, integer, real, string, array, object };
  Kind kind = Kind::null;
  bool boolean = false;
  int64_t integer = 0;
  double real = 0;              // also for integers that int64 cannot hold; text has their digits
  std::string text;             // a string's characters, or a number as written
  std::string raw;              // for a setting: what stood after '='
  std::vector<Value> items;     // of an array
  std::vector<Member> members;  // of an object, in order
  Mark mark;

  static Value of(bool v);
  static Value of(int64_t v);
  static Value of(double v);
  static Value of(std::string_view v);
  static Value array();
  static Value object();

  bool is(Kind k) const { return kind == k; }
  const Value* find(std::string_view key) const;
  Value* find(std::string_view key);
  const Member* member(std::string_view key) const;
  void set(std::string_view key, Value value);
  void erase(std::string_view key);
};

struct Member {
  std::string key;
  Value value;
  Mark mark;  // of the key
};

// For messages: `the string "fast"`, `the number 3`, `true`, `an object`.
std::string describe(const Value& value);
// JSON text on one line, numbers in the shortest form that reads back equal.
std::string compact(const Value& value);
// JSON text over several lines, ending in a newline.
std::string pretty(const Value& value);
// A JSON string literal, whole.
std::string json_string(std::string_view text);
// The same for a message: a long text is cut, so that no message grows with its input.
std::string quote(std::string_view text);
// Names separated by blanks, for a message: the first of them, and how many more there are.
std::string some_of(std::span<const std::string> names);

// The value at "a.b[0].c", or null when absent.
const Value* at_path(const Value& root, std::string_view path);
// Where it was written; for an absent one, the nearest object around it.
Mark mark_at(const Value& root, std::string_view path);

}  // namespace muonlab::config
