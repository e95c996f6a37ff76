#include "config/writer.hpp"
#include "muonlab/config/load.hpp"

namespace muonlab::config {

namespace {

// One row a setting: an array of plain values is one, an array of objects is taken apart.
void flatten(const Value& value, const std::string& path,
             std::vector<std::pair<std::string, std::string>>& out) {
  if (value.is(Value::Kind::object)) {
    for (const Member& m : value.members) flatten(m.value, child_path(path, m.key), out);
  } else if (value.is(Value::Kind::array) && !value.items.empty() &&
             value.items.front().is(Value::Kind::object)) {
    for (size_t i = 0; i < value.items.size(); ++i)
      flatten(value.items[i], item_path(path, i), out);
  } else {
    out.emplace_back(path, compact(value));
  }
}

}  // namespace

std::string dump_config(const RunConfig& run) { return pretty(to_value(run)); }

std::vector<Difference> diff_configs(const RunConfig& before, const RunConfig& after) {
  std::vector<std::pair<std::string, std::string>> old_rows, new_rows;
  flatten(to_value(before), "", old_rows);
  flatten(to_value(after), "", new_rows);
  const std::map<std::string, std::string> old_by_path(old_rows.begin(), old_rows.end());
  const std::map<std::string, std::string> new_by_path(new_rows.begin(), new_rows.end());
  std::vector<Difference> differences;
  for (const auto& [path, text] : old_rows) {
    const auto match = new_by_path.find(path);
    const std::string now = match == new_by_path.end() ? "" : match->second;
    if (now != text) differences.push_back({path, text, now});
  }
  for (const auto& [path, text] : new_rows) {
    if (!old_by_path.contains(path)) differences.push_back({path, "", text});
  }
  return differences;
}

}  // namespace muonlab::config
