#include "muonlab/record/metrics_csv.hpp"

#include <algorithm>
#include <map>
#include <vector>

#include <nlohmann/json.hpp>

#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/record/line_follower.hpp"

namespace muonlab::record {
namespace {

using Json = nlohmann::ordered_json;

// Quoted where the format needs it (RFC 4180).
std::string cell(const Json& value) {
  if (value.is_null()) return "";
  if (!value.is_string()) return value.dump();
  const auto text = value.get<std::string>();
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

class Sheet {
 public:
  // Adds a line's values to the row of that key.
  void add(const std::string& key, const Json& line) {
    const auto [found, is_new] = rows_.try_emplace(key);
    if (is_new) order_.push_back(key);
    fill(found->second, "", line);
  }
  std::string text() const {
    std::vector<std::string> head;
    for (const std::string& column : columns_) head.push_back(cell(column));
    std::string out = base::join(head, ",") + "\n";
    for (const std::string& key : order_) {
      const std::map<std::string, std::string>& row = rows_.at(key);
      for (size_t i = 0; i < columns_.size(); ++i) {
        const auto found = row.find(columns_[i]);
        out += (i > 0 ? "," : "") + (found == row.end() ? "" : found->second);
      }
      out += "\n";
    }
    return out;
  }

 private:
  void fill(std::map<std::string, std::string>& row, const std::string& prefix, const Json& json) {
    for (const auto& [name, value] : json.items()) {
      const std::string column = prefix.empty() ? name : prefix + "." + name;
      if (value.is_object()) {
        fill(row, column, value);
      } else if (!value.is_array()) {
        if (std::find(columns_.begin(), columns_.end(), column) == columns_.end())
          columns_.push_back(column);
        row[column] = cell(value);
      }
    }
  }

  std::vector<std::string> columns_, order_;
  std::map<std::string, std::map<std::string, std::string>> rows_;
};

template <class Visit>
void each_line(const std::string& path, Visit&& visit) {
  LineFollower(path).poll([&](const std::string& text) {
    const Json line = Json::parse(text, nullptr, false);
    if (line.is_object() && line.contains("step")) visit(line);
  });
}

// What tells the lines of one step apart: every text and whole number but what is measured.
std::string identity(const Json& line) {
  std::string key;
  for (const auto& [name, value] : line.items()) {
    const bool names =
        value.is_string() || name == "step" || name == "layer" || name == "head" || name == "group";
    if (names) key += name + "=" + value.dump() + " ";
  }
  return key;
}

std::string sources_of(const RunFolder& folder) {
  std::vector<std::string> names;
  for (const std::string& name : base::real_file_system().list(folder.path())) {
    constexpr std::string_view kEnding = ".jsonl";
    if (name.ends_with(kEnding) && name != "history.jsonl")
      names.push_back(name.substr(0, name.size() - kEnding.size()));
  }
  return names.empty() ? "none" : base::join(names, " ");
}

}  // namespace

std::string metrics_csv(const RunFolder& folder, const std::string& source) {
  base::FileSystem& files = base::real_file_system();
  if (!base::is_bare_name(source) || !files.exists(folder.probe(source))) {
    throw base::Error(folder.path(), ": records no ", source, "; it has: ", sources_of(folder));
  }
  Sheet sheet;
  if (source != "metrics") {
    each_line(folder.probe(source), [&](const Json& line) { sheet.add(identity(line), line); });
    return sheet.text();
  }
  const auto step_of = [](const Json& line) { return line["step"].dump(); };
  std::map<std::string, Json> timing;  // the last line of each step
  if (files.exists(folder.timing()))
    each_line(folder.timing(), [&](const Json& line) { timing[step_of(line)] = line; });
  each_line(folder.metrics(), [&](const Json& line) {
    sheet.add(step_of(line), line);
    if (line.contains("val_loss")) return;
    const auto times = timing.find(step_of(line));
    if (times != timing.end()) sheet.add(step_of(line), times->second);
  });
  return sheet.text();
}

}  // namespace muonlab::record
