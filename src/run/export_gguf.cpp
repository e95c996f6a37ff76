#include <ATen/ATen.h>

#include "export_parts.hpp"
#include "known_model.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/train/checkpoint.hpp"

namespace muonlab::run {
namespace {

using config::Activation;
using store::GgufType;

// llama.cpp's names of architectures. The first and the last turn neighbouring pairs of a head's
// numbers, not its halves as Hugging Face does: rows of q and k change places.
struct GgufArchitecture {
  const char* name;
  bool pairs_are_neighbours;
};

GgufArchitecture architecture_of(const config::ModelConfig& model) {
  const bool has_norm = model.qk_norm != config::QkNorm::none;
  const Activation wanted = model.gated ? Activation::silu : Activation::relu2;
  if (model.activation != wanted) {
    throw base::Error("this model cannot be exported to GGUF: llama.cpp computes ",
                      model.gated ? "silu in a gated" : "relu2 in a plain",
                      " feed-forward only. That must be decided before training, by "
                      "model.activation");
  }
  if (const auto beyond = settings_beyond_llama(model); !beyond.empty()) {
    throw base::Error("this model cannot be exported to GGUF: ", base::join(beyond, ", "),
                      " is not supported there. A Hugging Face folder (--to hf) may hold it");
  }
  if (has_norm) return {"qwen3", false};
  return model.gated ? GgufArchitecture{"llama", true} : GgufArchitecture{"arcee", true};
}

GgufType type_of(ExportType type) {
  switch (type) {
    case ExportType::fp32: return GgufType::f32;
    case ExportType::bf16: return GgufType::bf16;
    case ExportType::fp16: return GgufType::f16;
    case ExportType::q8_0: return GgufType::q8_0;
  }
  return GgufType::f32;
}

// general.file_type, by the numbers of llama.cpp's enum llama_ftype.
uint32_t file_type(ExportType type) {
  switch (type) {
    case ExportType::fp32: return 0;
    case ExportType::fp16: return 1;
    case ExportType::q8_0: return 7;
    case ExportType::bf16: return 32;
  }
  return 0;
}

std::string gguf_name(const std::string& name) {
  static const std::pair<const char*, const char*> kParts[] = {
      {"input_layernorm", "attn_norm"},    {"post_attention_layernorm", "ffn_norm"},
      {"self_attn.q_proj", "attn_q"},      {"self_attn.k_proj", "attn_k"},
      {"self_attn.v_proj", "attn_v"},      {"self_attn.o_proj", "attn_output"},
      {"self_attn.q_norm", "attn_q_norm"}, {"self_attn.k_norm", "attn_k_norm"},
      {"mlp.gate_proj", "ffn_gate"},       {"mlp.up_proj", "ffn_up"},
      {"mlp.down_proj", "ffn_down"}};
  if (name == "model.embed_tokens.weight") return "token_embd.weight";
  if (name == "model.norm.weight") return "output_norm.weight";
  if (name == "lm_head.weight") return "output.weight";
  const std::string prefix = "model.layers.", suffix = ".weight";
  for (const auto& [ours, theirs] : kParts) {
    const std::string end = base::str(".", ours, suffix);
    if (!name.starts_with(prefix) || !name.ends_with(end)) continue;
    const size_t digits = name.size() - prefix.size() - end.size();
    return base::str("blk.", name.substr(prefix.size(), digits), ".", theirs, suffix);
  }
  throw base::Bug("no name in GGUF for " + name);
}

// Rows of each head: the first half's i-th and the second half's i-th become neighbours.
at::Tensor with_neighbours(const at::Tensor& weight, int64_t num_heads) {
  const int64_t rows = weight.size(0), columns = weight.size(1);
  return weight.view({num_heads, 2, rows / num_heads / 2, columns})
      .transpose(1, 2)
      .reshape({rows, columns});
}

class GgufExport {
 public:
  GgufExport(LoadedModel& loaded, const ExportRequest& request)
      : loaded_(loaded),
        model_(loaded.config.model),
        request_(request),
        architecture_(architecture_of(model_)) {}

  Exported write(const std::string& path) {
    const std::vector<tensor::NamedTensor> values = train::stored_values(model_, *loaded_.arena);
    for (const tensor::NamedTensor& value : values) add(value);
    store::write_gguf(base::real_file_system(), path, pairs(), tensors_);
    result_.bytes = base::real_file_system().size(path);
    result_.files.push_back(base::base_name(request_.out));
    if (other_rows_ > 0) {
      result_.notes.push_back(base::str(other_rows_, " matrices whose rows are no multiple of ",
                                        store::kGgufBlock, " numbers are stored as F16"));
    }
    const std::string note = gguf_tokenizer_note(*loaded_.tokenizer);
    if (request_.with_tokenizer && !note.empty()) result_.notes.push_back(note);
    return std::move(result_);
  }

 private:
  void add(const tensor::NamedTensor& named) {
    at::Tensor value = named.value.detach().cpu().to(at::kFloat).contiguous();
    if (architecture_.pairs_are_neighbours) {
      if (named.name.ends_with("q_proj.weight")) value = with_neighbours(value, model_.heads);
      if (named.name.ends_with("k_proj.weight")) value = with_neighbours(value, *model_.kv_heads);
    }
    GgufType type = value.dim() == 1 ? GgufType::f32 : type_of(request_.type);
    if (type == GgufType::q8_0 && value.size(1) % store::kGgufBlock != 0) {
      type = GgufType::f16;
      ++other_rows_;
    }
    const double most = type == GgufType::f16 ? 65504.0 : type == GgufType::q8_0 ? 8e6 : 3.4e38;
    if (value.abs().max().item<double>() > most) {
      throw base::Error(named.name, ": holds a number that does not fit into ",
                        store::gguf_type_name(type), "; export with --dtype bf16 or fp32");
    }
    held_.push_back(value);
    tensors_.push_back(
        {gguf_name(named.name), value.sizes().vec(), held_.back().const_data_ptr<float>(), type});
  }

  store::GgufPairs pairs() const {
    const std::string own = std::string(architecture_.name) + ".";
    const auto count = [](int64_t value) { return static_cast<uint32_t>(value); };
    store::GgufPairs pairs{
        {"general.architecture", std::string(architecture_.name)},
        {"general.type", std::string("model")},
        {"general.name", model_name(loaded_)},
        {"general.file_type", file_type(request_.type)},
        {"general.quantization_version", uint32_t{2}},
        {own + "vocab_size", count(*model_.vocabulary)},
        {own + "context_length", count(model_.context)},
        {own + "embedding_length", count(model_.width)},
        {own + "block_count", count(model_.layers)},
        {own + "feed_forward_length", count(*model_.ffn_width)},
        {own + "attention.head_count", count(model_.heads)},
        {own + "attention.head_count_kv", count(*model_.kv_heads)},
        {own + "attention.key_length", count(*model_.head_dim)},
        {own + "attention.value_length", count(*model_.head_dim)},
        {own + "attention.layer_norm_rms_epsilon", static_cast<float>(model_.norm_eps)},
        {own + "rope.dimension_count", count(*model_.head_dim)},
        {own + "rope.freq_base", static_cast<float>(model_.rope_theta)}};
    store::GgufPairs tokenizer{{"tokenizer.ggml.model", std::string("no_vocab")}};
    if (request_.with_tokenizer) tokenizer = gguf_tokenizer(*loaded_.tokenizer, *model_.vocabulary);
    pairs.insert(pairs.end(), tokenizer.begin(), tokenizer.end());
    return pairs;
  }

  LoadedModel& loaded_;
  const config::ModelConfig& model_;
  const ExportRequest& request_;
  GgufArchitecture architecture_;
  std::vector<at::Tensor> held_;
  std::vector<store::GgufTensor> tensors_;
  int64_t other_rows_ = 0;
  Exported result_;
};

}  // namespace

Exported export_gguf(LoadedModel& loaded, const ExportRequest& request, const std::string& path) {
  return GgufExport(loaded, request).write(path);
}

}  // namespace muonlab::run
