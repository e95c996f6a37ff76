#include "muonlab/run/export_model.hpp"

#include "export_parts.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/config/model_hf.hpp"

namespace muonlab::run {
namespace {

std::string without_slash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

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
  const std::string out = without_slash(request.out);
  const bool to_file = request.format == ExportFormat::gguf;
  if (files.exists(out))
    throw base::Error(out, ": exists already; name a new ", to_file ? "file" : "folder");
  if (request.type == ExportType::q8_0 && !to_file)
    throw base::Error("q8_0 is a type of GGUF; a Hugging Face folder takes fp32, bf16 or fp16");
  LoadedModel loaded = load_model(request.model, config::Device::cpu);
  accept_architecture(loaded.config.model);
  base::make_directories(base::parent_path(out));
  const std::string partial = out + ".partial";
  base::remove_tree(partial);
  try {
    if (!to_file) files.make_directory(partial);
    const Exported exported = to_file ? export_gguf(loaded, request, partial)
                                      : export_hugging_face(loaded, request, partial);
    if (!to_file) files.sync_directory(partial);
    files.rename(partial, out);
    files.sync_directory(base::parent_path(out));
    return exported;
  } catch (...) {
    base::remove_tree(partial);
    throw;
  }
}

}  // namespace muonlab::run
