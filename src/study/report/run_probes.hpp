// Reading back what the probes of a run wrote: spectra.jsonl, tail.jsonl,
// sharpness.jsonl, token_rows.jsonl, and the assignment table.
#pragma once

#include "muonlab/study/report/data.hpp"

namespace muonlab::study {

// Each leaves its part of the run empty where the file is absent.
void read_spectra(const std::string& path, ReportRun& run);
void read_tail(const std::string& path, ReportRun& run);
void read_sharpness(const std::string& path, ReportRun& run);
void read_token_rows(const std::string& path, ReportRun& run);
void read_assignment(const std::string& path, ReportRun& run);

}  // namespace muonlab::study
