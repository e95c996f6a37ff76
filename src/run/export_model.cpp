#include "muonlab/run/export_model.hpp"

#include "export_parts.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/partial_output.hpp"
#include "muonlab/config/model_hf.hpp"

namespace muonlab::run {
namespace {

// Both formats are those of programs that have the architectures of transformers.
void accept_architecture(const config::ModelConfig& model) {
  const std::string gap = config::hugging_face_gap(model, config::HfFile::exported);
  if (gap.empty()) return;
  throw base::Error("this model cannot be exported: ", gap,
                    ". That must be decided before training, by the settings of model");
}

}  // namespace

std::string model_name(const LoadedModel& loaded) {
  return loaded.config.name.empty() ? "muonlab" : loaded.config.name;
}

Exported export_model(const ExportRequest& request) {
  base::FileSystem& files = base::real_file_system();
  const std::string& out = request.out;
  const bool to_file = request.format == ExportFormat::gguf;
  if (files.exists(out))
    throw base::Error(out, ": exists already; name a new ", to_file ? "file" : "folder");
  if (request.type == ExportType::q8_0 && !to_file)
    throw base::Error("q8_0 is a type of GGUF; a Hugging Face folder takes fp32, bf16 or fp16");
  LoadedModel loaded = load_model(request.model, config::Device::cpu);
  accept_architecture(loaded.config.model);
  base::PartialOutput output(out);
  if (!to_file) files.make_directory(output.path());
  const Exported exported = to_file ? export_gguf(loaded, request, output.path())
                                    : export_hugging_face(loaded, request, output.path());
  output.publish();
  return exported;
}

}  // namespace muonlab::run
