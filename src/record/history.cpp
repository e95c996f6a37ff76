#include "muonlab/record/history.hpp"

#include <algorithm>
#include <array>

#include "muonlab/base/line_file.hpp"
#include "muonlab/record/json_lines.hpp"

namespace muonlab::record {
namespace {

constexpr std::array<const char*, 4> kOutcomes{"finished", "interrupted", "diverged", "failed"};

constexpr std::array<ChangeClass, 4> kClasses{ChangeClass::safe, ChangeClass::length,
                                              ChangeClass::training, ChangeClass::refused};

// The class that was found when the change was made, which knew more than the setting's path.
void set_class(Change& change, const std::string& name) {
  for (const ChangeClass kind : kClasses) {
    if (name == change_class_name(kind)) change.kind = kind;
  }
}

RunStart start_from(const nlohmann::json& line) {
  RunStart start{.step = count_in(line, "step")};
  if (const auto changes = line.find("changes"); changes != line.end() && changes->is_array()) {
    for (const nlohmann::json& change : *changes) {
      if (!change.is_object()) continue;
      const config::Difference difference{text_in(change, "path"), text_in(change, "before"),
                                          text_in(change, "after")};
      start.changes.push_back(classify_changes({difference}).front());
      set_class(start.changes.back(), text_in(change, "kind"));
    }
  }
  if (const auto build = line.find("build"); build != line.end() && build->is_object()) {
    for (const auto& [name, value] : build->items()) {
      if (value.is_string()) start.build[name] = value.get<std::string>();
    }
  }
  return start;
}

// A line of its own also behind one that a crash of the machine cut short.
void append(const std::string& path, const nlohmann::ordered_json& line, base::FileSystem& files) {
  const std::string before = files.exists(path) ? base::read_tail(path, 1, files) : "";
  base::LineFile file(path, std::nullopt, files);
  if (!before.empty() && before.back() != '\n') file.write("");
  file.write(line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  file.sync();
}

}  // namespace

std::vector<RunStart> History::changed() const {
  std::vector<RunStart> changed;
  for (RunStart start : starts) {
    while (!changed.empty() && changed.back().step >= start.step) changed.pop_back();
    std::erase_if(start.changes, [](const Change& c) { return c.kind == ChangeClass::safe; });
    if (!start.changes.empty()) changed.push_back(std::move(start));
  }
  return changed;
}

std::map<std::string, std::string> History::build_before(int64_t step) const {
  const auto made = std::find_if(starts.rbegin(), starts.rend(),
                                 [step](const RunStart& start) { return start.step < step; });
  return made == starts.rend() ? std::map<std::string, std::string>{} : made->build;
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
          RunEnd{count_in(line, "step"), static_cast<RunOutcome>(known - kOutcomes.begin()),
                 text_in(line, "warning")};
    }
  });
  return history;
}

void append_start(const std::string& path, const RunStart& start, base::FileSystem& files) {
  nlohmann::ordered_json line{{"event", "start"}, {"step", start.step}};
  if (!start.build.empty()) line["build"] = start.build;
  for (const Change& change : start.changes) {
    line["changes"].push_back({{"path", change.difference.path},
                               {"before", change.difference.before},
                               {"after", change.difference.after},
                               {"kind", change_class_name(change.kind)}});
  }
  append(path, line, files);
}

void append_end(const std::string& path, const RunEnd& end, base::FileSystem& files) {
  nlohmann::ordered_json line{{"event", "end"},
                              {"step", end.step},
                              {"outcome", kOutcomes[static_cast<size_t>(end.outcome)]}};
  if (!end.warning.empty()) line["warning"] = end.warning;
  append(path, line, files);
}

}  // namespace muonlab::record
