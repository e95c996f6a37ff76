#include "output.hpp"

#include <algorithm>
#include <array>
#include <set>

#include <nlohmann/json.hpp>

#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/foreign.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/base/text_table.hpp"
#include "muonlab/page/document.hpp"

namespace muonlab::theory {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kRecordName = "result.json";
constexpr const char* kPageName = "index.html";
constexpr std::string_view kRecordMark = "{\n  \"muonlab_theory\":";
constexpr const char* kRemedy = "Name another folder with --out.";

std::string table_file(const Table& table) { return table.name + ".csv"; }

// The tables that an earlier result of ours in the folder wrote.
std::set<std::string> earlier_files(const std::string& folder) {
  const std::string path = base::join_path(folder, kRecordName);
  if (!base::real_file_system().exists(path)) return {};
  const std::string text = base::read_text(path);
  if (!text.starts_with(kRecordMark))
    throw base::Error(path, ": exists already and is no result of `muonlab theory`. ", kRemedy);
  const Json json = Json::parse(text, nullptr, false);
  std::set<std::string> names;
  if (!json.is_object() || !json.contains("files")) return names;
  for (const Json& name : json["files"]) {
    if (name.is_string() && base::is_bare_name(name.get<std::string>()))
      names.insert(name.get<std::string>());
  }
  return names;
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string quoted = "\"";
  for (char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

std::string csv_cell(const Cell& cell) {
  if (const auto* text = std::get_if<std::string>(&cell)) return csv_field(*text);
  const double value = std::get<double>(cell);
  return std::isnan(value) ? "" : base::exact(value);
}

Json interval_json(const base::Interval& interval) {
  const auto end = [](double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); };
  return Json::array({end(interval.low), end(interval.high)});
}

Json claim_json(const Claim& claim) {
  Json json{{"statement", claim.statement},
            {"source", claim.source},
            {"owner", claim.owner == ClaimOwner::paper ? "paper" : "ours"},
            {"measured", claim.measured},
            {"predicted", claim.predicted ? Json(*claim.predicted) : Json(nullptr)},
            {"accepted", interval_json(claim.accepted)},
            {"holds", claim.holds()}};
  if (claim.confidence) json["interval_95"] = interval_json(*claim.confidence);
  if (!claim.note.empty()) json["note"] = claim.note;
  return json;
}

Json table_json(const Table& table) {
  Json columns = Json::object();
  for (size_t i = 0; i < table.columns.size(); ++i) {
    Json values = Json::array();
    for (const auto& row : table.rows)
      std::visit([&](const auto& value) { values.push_back(value); }, row[i]);
    columns[table.columns[i]] = std::move(values);
  }
  return {{"about", table.about}, {"columns", columns}};
}

}  // namespace

void accept_output_folder(const std::string& folder) {
  base::FileSystem& files = base::real_file_system();
  if (files.exists(folder) && !files.is_directory(folder))
    throw base::Error(folder, ": is a file, not a folder. ", kRemedy);
  base::refuse_foreign_folder(folder, kRecordName, {}, kRemedy);
  earlier_files(folder);
}

void write_page(const std::string& folder, const std::string& html) {
  base::FileSystem& files = base::real_file_system();
  const std::string path = base::join_path(folder, kPageName);
  if (files.exists(path) &&
      (files.is_directory(path) || !base::read_text(path).starts_with(page::kPageMark)))
    throw base::Error(path, ": exists already and is no page of muonlab. ", kRemedy);
  base::write_atomically(path, html);
}

void write_record(const Record& record, const std::string& folder) {
  base::FileSystem& files = base::real_file_system();
  base::make_directories(folder);
  std::set<std::string> earlier = earlier_files(folder);
  for (const Table& table : record.result.tables) {
    const std::string name = table_file(table), path = base::join_path(folder, name);
    if (!earlier.contains(name) && files.exists(path))
      throw base::Error(path, ": exists already and was not written by `muonlab theory`. ",
                        kRemedy);
  }
  // The record comes first: it says which of the files are ours, also if the rest fails.
  base::write_atomically(base::join_path(folder, kRecordName), result_json(record));
  for (const Table& table : record.result.tables) {
    base::check(base::is_bare_name(table_file(table)), "a table's name is that of a file");
    base::write_atomically(base::join_path(folder, table_file(table)), csv_text(table));
    earlier.erase(table_file(table));
  }
  for (const std::string& name : earlier) {
    const std::string path = base::join_path(folder, name);
    if (name.ends_with(".csv") && files.exists(path)) files.remove_file(path);
  }
  write_page(folder, record_html(record));
}

std::string csv_text(const Table& table) {
  std::string text;
  for (size_t i = 0; i < table.columns.size(); ++i)
    text += (i == 0 ? "" : ",") + csv_field(table.columns[i]);
  text += "\n";
  for (const auto& row : table.rows) {
    base::check(row.size() == table.columns.size(), "a cell a column");
    for (size_t i = 0; i < row.size(); ++i) text += (i == 0 ? "" : ",") + csv_cell(row[i]);
    text += "\n";
  }
  return text;
}

std::string result_json(const Record& record) {
  Json json{{"muonlab_theory", 1},
            {"experiment", record.name},
            {"paper", record.paper},
            {"complete", record.complete},
            {"command", record.command},
            {"threads", record.threads},
            {"settings", Json::parse(record.settings)},
            {"remarks", record.result.remarks},
            {"claims", Json::array()},
            {"files", Json::array()},
            {"tables", Json::object()}};
  for (const Claim& claim : record.result.claims) json["claims"].push_back(claim_json(claim));
  for (const Table& table : record.result.tables) {
    json["files"].push_back(table_file(table));
    json["tables"][table.name] = table_json(table);
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string claims_text(const Record& record, size_t width) {
  base::TextTable table({{"claim", base::TextColumn::Kind::prose},
                         {"whose"},
                         {"measured", base::TextColumn::Kind::number},
                         {"accepted", base::TextColumn::Kind::number},
                         {"verdict"}});
  size_t failing = 0;
  for (const Claim& claim : record.result.claims) {
    const bool holds = claim.holds();
    failing += holds ? 0 : 1;
    table.add_row({claim.statement, claim.owner == ClaimOwner::paper ? "paper" : "ours",
                   figure_text(claim.measured), accepted_text(claim.accepted),
                   holds ? "holds" : "DOES NOT HOLD"});
  }
  const size_t count = record.result.claims.size();
  std::string summary = base::str(
      record.name, " (", record.paper, "): ", count - failing, " of ", count, " claims hold",
      record.complete ? "" : "; interrupted, the others are not checked", "\n");
  if (!record.complete) {
    std::vector<std::string> kept;
    for (const Table& one : record.result.tables)
      kept.push_back(base::str(table_file(one), " (", one.rows.size(), " rows)"));
    summary += "computed until then: " + (kept.empty() ? "nothing" : base::join(kept, ", ")) + "\n";
  }
  return (count == 0 ? "" : table.text(width, 2)) + summary;
}

}  // namespace muonlab::theory
