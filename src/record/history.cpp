#include "muonlab/record/history.hpp"

#include <algorithm>
#include <array>

#include "muonlab/base/line_file.hpp"
#include "muonlab/record/json_lines.hpp"

namespace muonlab::record {
namespace {

constexpr std::array<const char*, 4> kOutcomes{"finished", "interrupted", "diverged", "failed"};

RunStart start_from(const nlohmann::json& line) {
  std::vector<config::Difference> differences;
  const auto changes = line.find("changes");
  if (changes != line.end() && changes->is_array()) {
    for (const nlohmann::json& change : *changes) {
      if (!change.is_object()) continue;
      differences.push_back(
          {text_in(change, "path"), text_in(change, "before"), text_in(change, "after")});
    }
  }
  return {count_in(line, "step"), classify_changes(differences)};
}

void append(const std::string& path, const nlohmann::ordered_json& line) {
  base::LineFile file(path);
  file.write(line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  file.sync();
}

}  // namespace

std::vector<RunStart> History::changed() const {
  std::vector<RunStart> changed;
  for (RunStart start : starts) {
    std::erase_if(start.changes, [](const Change& c) { return c.kind == ChangeClass::safe; });
    if (!start.changes.empty()) changed.push_back(std::move(start));
  }
  return changed;
}

History read_history(const std::string& path) {
  History history;
  if (!base::real_file_system().exists(path)) return history;
  each_json_line(path, [&](const nlohmann::json& line) {
    const std::string event = text_in(line, "event");
    if (event == "start") {
      history.starts.push_back(start_from(line));
      history.end.reset();
    } else if (event == "end") {
      const std::string outcome = text_in(line, "outcome");
      const auto known = std::find(kOutcomes.begin(), kOutcomes.end(), outcome);
      if (known == kOutcomes.end()) return;
      history.end =
          RunEnd{count_in(line, "step"), static_cast<RunOutcome>(known - kOutcomes.begin())};
    }
  });
  return history;
}

void append_start(const std::string& path, const RunStart& start) {
  nlohmann::ordered_json line{{"event", "start"}, {"step", start.step}};
  for (const Change& change : start.changes) {
    line["changes"].push_back({{"path", change.difference.path},
                               {"before", change.difference.before},
                               {"after", change.difference.after}});
  }
  append(path, line);
}

void append_end(const std::string& path, const RunEnd& end) {
  append(path, {{"event", "end"},
                {"step", end.step},
                {"outcome", kOutcomes[static_cast<size_t>(end.outcome)]}});
}

}  // namespace muonlab::record
