#include "rows.hpp"

#include <algorithm>
#include <cctype>
#include <cstdint>

#include "muonlab/base/file.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/page/line_style.hpp"
#include "muonlab/study/sweep/answer.hpp"
#include "study/report/history_json.hpp"

namespace muonlab::study {
namespace {

// What makes two runs the same row: everything but the seed and the name, changes at a resume
// included.
std::string row_key(const record::RunRecord& run) {
  config::RunConfig key = run.config;
  key.name = "";
  key.seed = 0;
  return config::dump_config(key) + changes_json(run).dump();
}

// What the names of a row's runs have in common, without the separator and the word that the seed's
// number leaves: "vo" of "vo-seed1" and "vo-seed2".
std::string common_name(const std::vector<std::string>& names) {
  std::string common = names.front();
  for (const std::string& name : names) {
    common.erase(std::mismatch(common.begin(), common.end(), name.begin(), name.end()).first,
                 common.end());
  }
  if (common.empty()) return names.front();
  if (names.size() == 1) return common;
  const auto drop_separators = [&] {
    while (common.size() > 1 &&
           std::string_view("-_=., ").find(common.back()) != std::string_view::npos) {
      common.pop_back();
    }
  };
  drop_separators();
  for (const std::string_view word : {"seed", "s"}) {
    const size_t rest = common.size() - std::min(common.size(), word.size());
    if (rest > 1 && common.ends_with(word) &&
        !std::isalnum(static_cast<unsigned char>(common[rest - 1]))) {
      common = common.substr(0, rest);
      drop_separators();
    }
  }
  return common;
}

bool is_free(const ReportData& data, int colour) {
  return std::none_of(data.rows.begin(), data.rows.end(),
                      [&](const ReportRow& row) { return row.colour == colour; });
}

}  // namespace

size_t row_index(ReportData& data, const std::string& label) {
  const auto found = std::find_if(data.rows.begin(), data.rows.end(),
                                  [&](const ReportRow& row) { return row.label == label; });
  if (found != data.rows.end()) return static_cast<size_t>(found - data.rows.begin());
  data.rows.push_back({label});
  return data.rows.size() - 1;
}

void add_sweep_rows(ReportData& data, const config::SweepConfig& sweep) {
  for (const config::Axis& axis : sweep.axes) {
    if (axis.name != sweep.compare_axis) continue;
    for (const config::AxisValue& value : axis.values) {
      ReportRow& row = data.rows[row_index(data, sweep.label(value.name))];
      if (value.name == sweep.baseline) row.colour = 0;
      if (value.name == sweep.reference) row.colour = 1;
    }
  }
}

void group_rows(ReportData& data, size_t first) {
  std::vector<std::string> keys;
  std::vector<std::vector<std::string>> names;
  std::vector<size_t> key_of;
  for (size_t i = first; i < data.runs.size(); ++i) {
    const std::string key = row_key(data.runs[i].record);
    const size_t index =
        static_cast<size_t>(std::find(keys.begin(), keys.end(), key) - keys.begin());
    if (index == keys.size()) {
      keys.push_back(key);
      names.emplace_back();
    }
    names[index].push_back(base::base_name(data.runs[i].record.path));
    key_of.push_back(index);
  }
  // A name that stands for another row already gives way to the path.
  std::vector<size_t> rows(keys.size(), SIZE_MAX);
  for (size_t i = first; i < data.runs.size(); ++i) {
    size_t& row = rows[key_of[i - first]];
    if (row == SIZE_MAX) {
      const std::string name = common_name(names[key_of[i - first]]);
      const bool taken = std::any_of(data.rows.begin(), data.rows.end(),
                                     [&](const auto& r) { return r.label == name; });
      row = row_index(data, taken ? data.runs[i].record.path : name);
    }
    data.runs[i].row = row;
  }
}

void colour_rows(ReportData& data) {
  std::vector<int> colours;  // those that no baseline or reference of a sweep has
  for (int colour = 0; colour < page::kNumColours; ++colour) {
    if (is_free(data, colour)) colours.push_back(colour);
  }
  size_t next = 0;
  for (ReportRow& row : data.rows) {
    if (row.colour) continue;
    row.colour = colours[next % colours.size()];
    row.marker = static_cast<int>(next / colours.size()) % page::kNumMarkers;
    ++next;
  }
}

std::string titled_block(const std::string& sweep_name, const config::SweepConfig& sweep,
                         const std::string& block) {
  const std::string own = block_title(sweep, block);
  return sweep_name + (sweep_name.empty() || own.empty() ? "" : " ") + own;
}

}  // namespace muonlab::study
