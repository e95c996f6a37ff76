// The report as a page and as numbers.
#pragma once

#include <string>

#include "muonlab/study/report/data.hpp"

namespace muonlab::study {

// One self-contained page (page::Document). reload_s > 0: it reloads itself at that interval.
std::string report_html(const ReportData& data, double reload_s = 0);
// All numbers of the page; its first key is "muonlab_report", the format's number.
std::string report_json(const ReportData& data);

// Where the report goes if nobody says: the folder of the one path, else ./report.
std::string default_report_folder(const std::vector<std::string>& paths);
struct ReportFiles {
  std::string page, numbers;
};
// Writes report.html and report.json, each atomically, into a folder that is made if absent. Throws
// base::Error where a file of that name is there that is no report of ours, and for data without a
// run.
ReportFiles write_report(const ReportData& data, const std::string& folder, double reload_s = 0);

}  // namespace muonlab::study
