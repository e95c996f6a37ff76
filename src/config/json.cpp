#include "config/json.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "config/json_tidy.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::config {

namespace {

// Offsets to lines and columns; cheap when asked in rising order.
class Locator {
 public:
  Locator(std::string_view text, std::shared_ptr<const Source> source)
      : text_(text), source_(std::move(source)) {}

  Mark at(size_t offset) {
    if (offset < at_) at_ = 0, line_ = 1, column_ = 1;
    for (; at_ < std::min(offset, text_.size()); ++at_) {
      if (text_[at_] == '\n') {
        ++line_;
        column_ = 1;
      } else if ((static_cast<unsigned char>(text_[at_]) & 0xC0) != 0x80) {
        ++column_;
      }
    }
    return {source_, line_, column_};
  }

 private:
  std::string_view text_;
  std::shared_ptr<const Source> source_;
  size_t at_ = 0;
  int line_ = 1, column_ = 1;
};

// nlohmann's account of a syntax error, without its own idea of the position.
std::string reason_of(std::string what) {
  if (size_t i = what.find("number overflow"); i != std::string::npos) {
    return "the number " + base::clip_text(what.substr(what.find_last_of(' ') + 1), 40) +
           " is out of range";
  }
  if (size_t i = what.find(" - "); i != std::string::npos) what = what.substr(i + 3);
  // What follows repeats all that was read, from the line's first token on.
  return what.substr(0, what.find("; last read: "));
}

class Builder : public nlohmann::json_sax<nlohmann::json> {
 public:
  Builder(const TidyJson& tidy, Locator& locator, Problems& problems, DuplicateKeys duplicates)
      : tidy_(tidy), locator_(locator), problems_(problems), duplicates_(duplicates) {}

  Value take() { return std::move(root_); }

  bool null() override { return add(Value{}); }
  bool boolean(bool v) override { return add(Value::of(v)); }
  bool number_integer(number_integer_t v) override {
    return add(Value::of(static_cast<int64_t>(v)));
  }
  bool number_unsigned(number_unsigned_t v) override {
    if (v <= static_cast<uint64_t>(INT64_MAX)) return add(Value::of(static_cast<int64_t>(v)));
    Value value = Value::of(static_cast<double>(v));
    value.text = std::to_string(v);
    return add(std::move(value));
  }
  bool number_float(number_float_t v, const string_t& digits) override {
    Value value = Value::of(v);
    value.text = digits;
    return add(std::move(value));
  }
  bool string(string_t& v) override { return add(Value::of(std::string_view(v))); }
  bool binary(binary_t&) override { return false; }

  bool start_object(size_t) override { return open(Value::object()); }
  bool start_array(size_t) override { return open(Value::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    Frame& frame = stack_.back();
    frame.key = name;
    frame.key_mark = next_mark();
    const auto [first, fresh] = frame.seen.try_emplace(name, frame.value.members.size());
    const bool last_wins = duplicates_ == DuplicateKeys::last_wins;
    frame.slot = last_wins ? first->second : frame.value.members.size();
    if (!fresh && !last_wins) {
      const Mark& mark = frame.value.members[first->second].mark;
      problems_.add(frame.key_mark, "",
                    base::str("duplicate key ", quote(name), "; first at line ", mark.line,
                              ", column ", mark.column));
    }
    return true;
  }

  bool parse_error(size_t position, const std::string&,
                   const nlohmann::detail::exception& e) override {
    // The token that holds the last character read, or the very character inside a string.
    size_t offset = position > 0 ? position - 1 : 0;
    std::string reason = reason_of(e.what());
    const bool in_string = reason.find("invalid string") != std::string::npos;
    if (offset >= tidy_.text.size()) {
      offset = tidy_.text.size();
    } else if (in_string && tidy_.text[offset] == '\n') {
      reason = "the string is not closed on its line";
    } else if (!in_string) {
      // A bad word is noticed at the character behind it.
      const auto& starts = reason.starts_with("invalid") ? tidy_.values : tidy_.tokens;
      const auto after = std::upper_bound(starts.begin(), starts.end(), offset);
      if (after != starts.begin()) offset = *(after - 1);
      if (reason.starts_with("invalid literal")) {
        const std::string_view rest = std::string_view(tidy_.text).substr(offset);
        reason = quote(rest.substr(0, rest.find_first_of(" \t\r\n{}[],:\""))) +
                 " is no value; texts stand in double quotes";
      }
    }
    problems_.add(locator_.at(offset), "", reason);
    return false;
  }

 private:
  struct Frame {
    Value value;
    std::string key;
    Mark key_mark;
    size_t slot = 0;  // of the key among the members
    std::unordered_map<std::string, size_t> seen;
  };

  Mark next_mark() {
    base::check(next_ < tidy_.values.size(), "more JSON events than tokens");
    return locator_.at(tidy_.values[next_++]);
  }

  bool open(Value value) {
    value.mark = next_mark();
    if (stack_.size() >= static_cast<size_t>(kMaxDepth)) {
      problems_.add(value.mark, "", base::str("nested deeper than ", kMaxDepth, " levels"));
      return false;
    }
    stack_.push_back({std::move(value), {}, {}, 0, {}});
    return true;
  }

  bool close() {
    Value value = std::move(stack_.back().value);
    stack_.pop_back();
    return place(std::move(value));
  }

  bool add(Value value) {
    value.mark = next_mark();
    return place(std::move(value));
  }

  bool place(Value value) {
    if (stack_.empty()) {
      root_ = std::move(value);
    } else if (Frame& frame = stack_.back(); frame.value.is(Value::Kind::array)) {
      frame.value.items.push_back(std::move(value));
    } else if (Member member{frame.key, std::move(value), frame.key_mark};
               frame.slot < frame.value.members.size()) {
      frame.value.members[frame.slot] = std::move(member);
    } else {
      frame.value.members.push_back(std::move(member));
    }
    return true;
  }

  const TidyJson& tidy_;
  Locator& locator_;
  Problems& problems_;
  DuplicateKeys duplicates_;
  std::vector<Frame> stack_;
  Value root_;
  size_t next_ = 0;
};

// Offset of the first byte that is not UTF-8. REQUIRES: there is one.
size_t first_bad_byte(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    const unsigned char c = static_cast<unsigned char>(text[at]);
    const size_t length = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    if (at + length > text.size() || !base::is_valid_utf8(text.substr(at, length))) break;
    at += length;
  }
  return at;
}

}  // namespace

Value parse_json(std::string_view text, const std::shared_ptr<const Source>& source,
                 Problems& problems, DuplicateKeys duplicates) {
  if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
  Locator locator(text, source);
  if (text.size() > kMaxBytes) {
    problems.add(locator.at(0), "",
                 base::str("larger than ", kMaxBytes, " bytes: no configuration"));
    return {};
  }
  if (!base::is_valid_utf8(text)) {
    problems.add(locator.at(first_bad_byte(text)), "", "not UTF-8; save the file in that encoding");
    return {};
  }
  if (const size_t nul = text.find('\0'); nul != std::string_view::npos) {
    problems.add(locator.at(nul), "",
                 "a NUL character, which no text holds; nothing after it would be read");
    return {};
  }
  const TidyJson tidy = tidy_json(text);
  if (tidy.open_comment) {
    problems.add(locator.at(*tidy.open_comment), "", "the comment is not closed");
    return {};
  }
  Builder builder(tidy, locator, problems, duplicates);
  nlohmann::json::sax_parse(tidy.text, &builder);
  return builder.take();
}

}  // namespace muonlab::config
