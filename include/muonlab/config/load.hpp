// From files and --set to a checked RunConfig, and back to JSON.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "muonlab/config/error.hpp"
#include "muonlab/config/run.hpp"

namespace muonlab::config {

// A configuration as asked for and as understood.
struct LoadedConfig {
  // resolved: every optional with a value (except those that depend on data)
  RunConfig run;
  std::string source_text;           // the file as given
  std::vector<std::string> dropped;  // inherited settings that have no effect here, "path: reason"
};

// Reads FILE with its "extends" (relative to the file that names it, any depth, no cycles), applies
// "path=value" settings, checks everything. Throws ConfigError with all errors at once. A setting
// of `swept` is applied after the file and before `settings`, and counts as inherited: where it has
// no effect it is dropped, not refused. Paths in "extends" and "from" are relative to the file that
// holds them; those in "data" to the current folder.
LoadedConfig load_config(const std::string& path, const std::vector<std::string>& settings = {},
                         const std::vector<std::string>& swept = {});
// The same for a text that is no file; `label` stands in for the file's name in messages.
LoadedConfig parse_config(std::string_view text, const std::string& label,
                          const std::vector<std::string>& settings = {},
                          const std::vector<std::string>& swept = {});

// A configuration that a run or a checkpoint holds. What an earlier version of the program accepted
// is accepted here still, so that its runs can be read and resumed; a user's own file is refused.
// Where eval.windows is not named it is "first", and train.reduction of a run that accumulates is
// "fast", as before there was a choice.
LoadedConfig parse_stored_config(std::string_view text, const std::string& label,
                                 const std::vector<std::string>& settings = {});

// The resolved configuration as JSON in field order; parse_config(dump_config(c)) equals c.
std::string dump_config(const RunConfig& run);
// JSON Schema (draft 2020-12) of a configuration file.
std::string config_schema();
// Rows "path, type, default, help" of every setting, for `muonlab config explain` and the README.
struct SettingRow {
  std::string path, type, default_value, help;
};
// A path has NAME for an optimizer's name, [N] for an index, and [kind=x] where a setting exists
// for that choice only.
std::vector<SettingRow> config_table();
// The rows at and below a path as a user writes it ("schedule", "optimizers.muon.lr"); throws
// base::Error for none.
std::vector<SettingRow> explain_setting(std::string_view path);
// The table as Markdown; README.md holds it.
std::string config_markdown();

// One difference between two resolved configurations; JSON texts, empty where absent.
struct Difference {
  std::string path, before, after;
};
std::vector<Difference> diff_configs(const RunConfig& before, const RunConfig& after);

}  // namespace muonlab::config
