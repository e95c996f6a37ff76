// The files that an experiment leaves.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "muonlab/theory/result.hpp"

namespace muonlab::theory {

// What ran, for the record and the page.
struct Record {
  std::string name, title, paper, about;
  std::string settings;  // JSON
  std::string command;   // that makes the same again
  int64_t threads = 1;
  bool complete = true;  // false: interrupted
  Result result;
};

// Refuses a folder that holds files of others. To be called before the work begins.
void accept_output_folder(const std::string& folder);
// Writes the tables, result.json and index.html. Tables of an earlier result there that this one
// does not have are removed.
void write_record(const Record& record, const std::string& folder);

// Replaces `folder`/index.html, which must be absent or a page of ours.
void write_page(const std::string& folder, const std::string& html);

std::string csv_text(const Table& table);
std::string result_json(const Record& record);
std::string record_html(const Record& record);
// One page with the claims of several records; each links to its own folder's page.
std::string overview_html(const std::vector<Record>& records);
// The claims as a table in a terminal, with a line that counts them.
std::string claims_text(const Record& record, size_t width);

}  // namespace muonlab::theory
