// The parts of a report's page. Each returns a section's HTML, empty where there is no data for it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "muonlab/page/document.hpp"
#include "muonlab/study/report/data.hpp"

namespace muonlab::study {

// What a reader must know before any figure.
std::string notices_html(const ReportData& data);
std::string verdict_html(const ReportData& data);
std::string ablation_html(const ReportData& data);
// Gains over training, and by the size of the model, with their intervals.
std::string gains_html(const ReportData& data);
std::string rates_html(const ReportData& data);  // the searches of learning rates
std::string summary_html(const ReportData& data);
// The losses on the named validation sets, row by row; of one run they are in its summary.
std::string valid_sets_html(const ReportData& data);
std::string loss_html(const ReportData& data, page::Document& document);
std::string spectra_html(const ReportData& data, page::Document& document);
std::string sharpness_html(const ReportData& data);
std::string token_rows_html(const ReportData& data);
std::string tail_html(const ReportData& data, page::Document& document);
std::string assignment_html(const ReportData& data);
std::string throughput_html(const ReportData& data);
std::string settings_html(const ReportData& data);
std::string commands_html(const ReportData& data);

// The blocks' parts under their titles; the first one open, the others to unfold unless all are to
// be open. Empty where all parts are.
std::string by_block(const ReportData& data, const std::vector<std::string>& parts,
                     bool all_open = false);
// A row's swatch and label.
std::string row_name(const ReportRow& row);
// "seed 3" where a row has several runs in its block; the run's name else.
std::string run_detail(const ReportRun& run);
// The line under a figure: the file its numbers come from, where report.json has them, the command
// that makes both.
std::string from_line(const ReportData& data, const std::string& file,
                      const std::string& json_place);
std::string p_value(double p);  // HTML: "0.0031", "&lt; 1e-15"
// "group B" of runs whose losses are comparable with each other.
std::string group_title(size_t group);
// What makes a run again, words quoted for a shell; empty where settings were changed at a resume,
// since no single command makes such a run.
std::string run_command(const ReportRun& run);
// "at step 163 optimizers.adam.lr 0.001 → 0.0005" for each such change.
std::vector<std::string> change_texts(const record::RunRecord& run);
// What made this report.
std::string report_command(const ReportData& data);

double tokens_per_second(const record::RunRecord& run);  // median over its steps; 0 without timing
double peak_memory_mb(const record::RunRecord& run);

}  // namespace muonlab::study
