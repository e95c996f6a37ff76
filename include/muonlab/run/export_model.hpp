// A model written for other programs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace muonlab::run {

enum class ExportFormat { hugging_face, gguf };
enum class ExportType { fp32, bf16, fp16, q8_0 };

struct ExportRequest {
  std::string model{};  // what load_model takes
  ExportFormat format = ExportFormat::hugging_face;
  ExportType type = ExportType::fp32;       // q8_0: GGUF only
  uint64_t max_file_bytes = 5'000'000'000;  // of weights; Hugging Face only
  bool with_tokenizer = true;
  std::string out{};  // a new folder, or a new file for GGUF
};

struct Exported {
  uint64_t bytes = 0;
  std::vector<std::string> files{};
  std::vector<std::string> notes{};  // what the person should know
};

// Throws base::Error where something lies at `out` already, where the other program has no
// architecture for the model (with the reason, and what to change before training), where a number
// does not fit the type, and for a tokenizer that the format cannot hold. What is written appears
// complete or not at all.
Exported export_model(const ExportRequest& request);

}  // namespace muonlab::run
