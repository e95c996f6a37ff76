// muonlab export: a model for other programs.
#include <iostream>
#include <map>
#include <memory>

#include "commands.hpp"
#include "json_result.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/base/usage_error.hpp"
#include "muonlab/run/export_model.hpp"

namespace muonlab::app {
namespace {

// "5GB", "200 MB", "1000000": bytes, in powers of 1000.
uint64_t parse_bytes(const std::string& text) {
  static const std::map<std::string, double> kUnits{{"", 1},     {"B", 1},    {"KB", 1e3},
                                                    {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}};
  size_t end = 0;
  double value = 0;
  try {
    value = std::stod(text, &end);
  } catch (const std::exception&) {
    end = 0;
  }
  const auto unit = kUnits.find(std::string(base::trim(text.substr(end))));
  if (end == 0 || unit == kUnits.end() || !(value > 0) || value * unit->second > 1e15) {
    throw base::UsageError("--max-shard-size: \"", text,
                           "\" is no size; write 5GB, 200MB or a number of bytes");
  }
  return static_cast<uint64_t>(value * unit->second);
}

run::ExportType parse_type(const std::string& name) {
  if (name == "bf16") return run::ExportType::bf16;
  if (name == "fp16") return run::ExportType::fp16;
  if (name == "q8_0") return run::ExportType::q8_0;
  return run::ExportType::fp32;
}

}  // namespace

void add_export(CLI::App& app, Exit&) {
  CLI::App* command =
      app.add_subcommand("export", R"(Write a model for Hugging Face transformers or for llama.cpp.

  muonlab export runs/quickstart --to hf --dtype bf16 --out my-model
  muonlab export runs/quickstart@100 --to gguf --dtype q8_0 --out my-model.gguf)");
  struct Options {
    run::ExportRequest request;
    std::string to, dtype = "fp32", max_size = "5GB";
    bool no_tokenizer = false, json = false;
  };
  auto options = std::make_shared<Options>();
  command
      ->add_option("MODEL", options->request.model,
                   "a run, RUN@STEP, a checkpoint's folder, or a Hugging Face folder")
      ->required();
  command
      ->add_option("--to", options->to, "hf: a folder for transformers; gguf: a file for llama.cpp")
      ->required()
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"hf", "gguf"}));
  command
      ->add_option("--out", options->request.out,
                   "what to make: a folder for hf, a file for gguf; nothing may be there yet")
      ->required()
      ->type_name("PATH");
  command
      ->add_option("--dtype", options->dtype,
                   "number type of the matrices: fp32, bf16 or fp16; for gguf also q8_0 (8 bits)")
      ->type_name("TYPE")
      ->capture_default_str()
      ->check(CLI::IsMember({"fp32", "bf16", "fp16", "q8_0"}));
  command
      ->add_option("--max-shard-size", options->max_size,
                   "hf: weights that take more are spread over several files")
      ->type_name("SIZE")
      ->capture_default_str();
  command->add_flag("--no-tokenizer", options->no_tokenizer,
                    "leave the tokenizer out, for one that the format cannot hold");
  add_json(*command, options->json);
  command->callback([options] {
    const JsonResult result(options->json);
    run::ExportRequest& request = options->request;
    const bool gguf = options->to == "gguf";
    request.format = gguf ? run::ExportFormat::gguf : run::ExportFormat::hugging_face;
    request.type = parse_type(options->dtype);
    request.max_file_bytes = parse_bytes(options->max_size);
    request.with_tokenizer = !options->no_tokenizer;
    if (gguf && !request.out.ends_with(".gguf"))
      throw base::UsageError("--out: a GGUF file's name ends in .gguf");
    const run::Exported exported = run::export_model(request);
    std::cout << request.out << "  " << base::join(exported.files, ", ") << "  "
              << base::human_bytes(exported.bytes) << "\n";
    for (const std::string& note : exported.notes) std::cout << "note  " << note << "\n";
    if (result.wanted()) {
      result.print({{"path", request.out},
                    {"files", exported.files},
                    {"bytes", exported.bytes},
                    {"notes", exported.notes}});
    }
  });
}

}  // namespace muonlab::app
