#include <map>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "export_parts.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/config/model_hf.hpp"
#include "muonlab/data/ids_tokenizer.hpp"
#include "muonlab/store/weight_files.hpp"
#include "muonlab/tensor/bytes.hpp"
#include "muonlab/train/checkpoint.hpp"

namespace muonlab::run {
namespace {

using Json = nlohmann::ordered_json;

at::ScalarType scalar_type(ExportType type) {
  switch (type) {
    case ExportType::bf16: return at::kBFloat16;
    case ExportType::fp16: return at::kHalf;
    case ExportType::fp32:
    case ExportType::q8_0: break;
  }
  return at::kFloat;
}

const char* torch_name(ExportType type) {
  switch (type) {
    case ExportType::bf16: return "bfloat16";
    case ExportType::fp16: return "float16";
    case ExportType::fp32:
    case ExportType::q8_0: break;
  }
  return "float32";
}

std::vector<tensor::NamedTensor> converted(LoadedModel& loaded, ExportType type) {
  std::vector<tensor::NamedTensor> values =
      train::stored_values(loaded.config.model, *loaded.arena);
  const bool less_one = config::exports_gains_less_one(loaded.config.model);
  for (tensor::NamedTensor& tensor : values) {
    if (less_one && tensor.value.dim() == 1 && tensor.name.ends_with("norm.weight"))
      tensor.value = tensor.value.detach() - 1.0;
    tensor.value = tensor.value.detach().cpu().to(scalar_type(type)).contiguous();
    if (!at::isfinite(tensor.value).all().item<bool>()) {
      throw base::Error(tensor.name,
                        ": holds a number that does not fit into fp16 (at most 65,504)",
                        "; export with --dtype bf16 or fp32");
    }
  }
  return values;
}

std::string config_text(const LoadedModel& loaded, ExportType type) {
  const data::Tokenizer& tokenizer = *loaded.tokenizer;
  Json json = Json::parse(config::hugging_face_config(loaded.config.model, tokenizer.end_of_text(),
                                                      {}, config::HfFile::exported));
  json["torch_dtype"] = torch_name(type);
  return json.dump(2) + "\n";
}

// How `muonlab sample` draws.
std::string generation_config(const LoadedModel& loaded) {
  const Json json{{"do_sample", true},
                  {"temperature", 0.8},
                  {"top_k", 50},
                  {"max_new_tokens", 200},
                  {"bos_token_id", nullptr},
                  {"eos_token_id", loaded.tokenizer->end_of_text()},
                  {"pad_token_id", loaded.tokenizer->end_of_text()}};
  return json.dump(2) + "\n";
}

}  // namespace

Exported export_hugging_face(LoadedModel& loaded, const ExportRequest& request,
                             const std::string& folder) {
  base::FileSystem& files = base::real_file_system();
  Exported exported;
  const auto add = [&](const std::string& name, uint64_t bytes) {
    exported.files.push_back(name);
    exported.bytes += bytes;
  };
  const auto write = [&](const std::string& name, const std::string& text) {
    base::write_atomically(base::join_path(folder, name), text);
    add(name, text.size());
  };
  std::map<std::string, std::string> tokenizer_files;
  if (request.with_tokenizer) tokenizer_files = loaded.tokenizer->files();
  if (tokenizer_files.contains("tokenizer.model") && !tokenizer_files.contains("tokenizer.json")) {
    throw base::Error(
        "transformers would make other ids: the tokenizer is a sentencepiece model that is "
        "unigram, "
        "changes characters or removes spaces, which a tokenizer.json cannot say exactly. "
        "--no-tokenizer writes "
        "the model alone, for ids that the sentencepiece package makes");
  }
  const std::vector<tensor::NamedTensor> values = converted(loaded, request.type);
  const std::vector<store::WeightFile> parts =
      store::share_out(tensor::store_views(values), request.max_file_bytes);
  for (const store::WeightFile& part : parts) {
    const std::string path = base::join_path(folder, part.name);
    add(part.name, store::write_safetensors(files, path, part.tensors).size);
  }
  if (parts.size() > 1) write(store::kWeightsIndex, store::weights_index(parts));
  write("config.json", config_text(loaded, request.type));
  write("generation_config.json", generation_config(loaded));
  for (const auto& [name, bytes] : tokenizer_files) write(name, bytes);
  write("README.md", model_card(loaded, model_name(loaded)));
  if (data::is_ids_tokenizer(*loaded.tokenizer)) {
    exported.notes.push_back(
        "the model was trained on token ids whose tokenizer is not known: put its tokenizer.json "
        "into the folder");
  }
  return exported;
}

}  // namespace muonlab::run
