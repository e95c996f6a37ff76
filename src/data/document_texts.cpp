#include "data/document_texts.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <nlohmann/json.hpp>

#include "data/content_kind.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::data {

namespace {

using Json = nlohmann::json;

// The number at the beginning of a text, or "null" where no double holds it, as 1e999; and its
// length, 0 where there is no number.
std::pair<std::string_view, size_t> first_number(std::string_view text) {
  constexpr std::string_view kFirst = "-0123456789";
  if (kFirst.find(text[0]) == kFirst.npos) return {"", 0};
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const auto length = static_cast<size_t>(end - text.data());
  const bool is_held = error != std::errc::result_out_of_range;
  return {is_held ? text.substr(0, length) : "null", length};
}

// Python's json writes what JSON has no words for, and JSON allows numbers that no type holds.
// Outside strings they become null.
std::string without_odd_numbers(std::string_view row) {
  constexpr std::array<std::string_view, 3> kWords{"NaN", "-Infinity", "Infinity"};
  std::string out;
  bool in_string = false;
  for (size_t i = 0; i < row.size(); ++i) {
    const auto word =
        in_string ? kWords.end() : std::find_if(kWords.begin(), kWords.end(), [&](auto name) {
          return row.substr(i).starts_with(name);
        });
    if (word != kWords.end()) {
      out += "null";
      i += word->size() - 1;
      continue;
    }
    if (!in_string) {
      if (const auto [number, length] = first_number(row.substr(i)); length > 0) {
        out += number;
        i += length - 1;
        continue;
      }
    }
    out += row[i];
    if (in_string && row[i] == '\\' && i + 1 < row.size()) {
      out += row[++i];
    } else if (row[i] == '"') {
      in_string = !in_string;
    }
  }
  return out;
}

// The parsed value, or the reason why there is none.
std::string parse(std::string_view row, Json& value) {
  if (const size_t at = first_invalid_utf8(row); at != std::string_view::npos)
    return not_utf8(row[at]);
  // JSON holds no NUL byte, and the parser would take one for the end of the line.
  if (const size_t at = row.find('\0'); at != std::string_view::npos)
    return base::str("not valid JSON at byte ", at + 1, ": a NUL byte");
  value = Json::parse(row, nullptr, false);
  if (value.is_discarded()) value = Json::parse(without_odd_numbers(row), nullptr, false);
  if (!value.is_discarded()) return "";
  try {
    value = Json::parse(row);
  } catch (const Json::parse_error& error) {
    // "… parse error at line 1, column 9: syntax error while parsing value - REASON; last read: …"
    std::string reason = error.what();
    if (const size_t at = reason.find(" - "); at != reason.npos) reason.erase(0, at + 3);
    return base::str("not valid JSON at byte ", error.byte, ": ",
                     reason.substr(0, reason.find("; last read: ")));
  } catch (const Json::exception&) {  // a number that no type holds
  }
  return "not valid JSON";
}

// "data.text" is the field of that name, else "text" in the object "data".
const Json* find_field(const Json& object, std::string_view field) {
  if (!object.is_object()) return nullptr;
  if (const auto found = object.find(field); found != object.end()) return &*found;
  for (size_t dot = field.find('.'); dot != field.npos; dot = field.find('.', dot + 1)) {
    const auto outer = object.find(field.substr(0, dot));
    if (outer == object.end()) continue;
    if (const Json* found = find_field(*outer, field.substr(dot + 1))) return found;
  }
  return nullptr;
}

std::string names_in(const Json& object) {
  std::string names;
  for (const auto& [name, value] : object.items()) names += (names.empty() ? "" : ", ") + name;
  constexpr size_t kMost = 80;
  return names.size() <= kMost ? names : names.substr(0, names.rfind(',', kMost)) + ", …";
}

// The text that a JSON value holds, or the reason why there is none.
std::string read_text_field(std::string_view row, const std::string& field, std::string& text) {
  Json value;
  if (std::string reason = parse(row, value); !reason.empty()) return reason;
  if (!value.is_object()) return "expected a JSON object with a field \"" + field + "\"";
  const Json* found = find_field(value, field);
  if (!found) {
    return "no field \"" + field +
           "\"; name another one with --field (there are: " + names_in(value) + ")";
  }
  if (found->is_null()) return "field \"" + field + "\" is null";
  if (!found->is_string()) return "field \"" + field + "\" is not a string";
  text = found->get_ref<const std::string&>();
  return "";
}

using Take = std::function<void(std::string_view text, bool ends_document)>;

void for_each_part(const Chunk& chunk, const std::string& split_at, const Take& take) {
  std::string_view text = chunk.text;
  if (const size_t at = first_invalid_utf8(text); at != text.npos) {
    throw base::Error(
        chunk.input->path, ":",
        chunk.first_line +
            std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n'),
        ": ", not_utf8(text[at]));
  }
  for (size_t at = 0; !split_at.empty() && (at = text.find(split_at)) != text.npos;) {
    take(text.substr(0, at), true);
    text.remove_prefix(at + split_at.size());
  }
  take(text, chunk.ends_document);
}

}  // namespace

void BadLines::add(std::string line) {
  if (++count <= kShown) shown.push_back(std::move(line));
}

void BadLines::add(const BadLines& more) {
  count += more.count;
  for (size_t i = 0; i < more.shown.size() && std::ssize(shown) < kShown; ++i)
    shown.push_back(more.shown[i]);
}

void for_each_text(const Chunk& chunk, const ReadOptions& options, BadLines& bad,
                   const Take& take) {
  if (chunk.input->kind == InputKind::text) return for_each_part(chunk, options.split_at, take);
  std::string text;
  std::string_view rest = chunk.text;
  for (size_t i = 0; !rest.empty(); ++i) {
    const std::string_view row = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), row.size() + 1));
    if (base::trim(row).empty()) continue;
    const std::string reason = read_text_field(row, options.field, text);
    if (reason.empty()) {
      take(text, true);
      continue;
    }
    const int64_t line =
        chunk.lines.empty() ? chunk.first_line + static_cast<int64_t>(i) : chunk.lines[i];
    std::string bad_line = base::str(chunk.input->path, ":", line, ": ", reason);
    if (!options.skip_bad_lines) {
      throw base::Error(bad_line, "; --skip-bad-lines leaves such lines out and lists them");
    }
    bad.add(std::move(bad_line));
  }
}

}  // namespace muonlab::data
