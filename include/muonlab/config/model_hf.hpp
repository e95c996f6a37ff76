// The model section as Hugging Face's config.json, and back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "muonlab/config/model.hpp"

namespace muonlab::config {

// The architecture of transformers that computes this model:
//   LlamaForCausalLM    gated, no QK-norm; biases of all attention, of the feed-forward
//   MistralForCausalLM  gated, no QK-norm, a window in every layer
//   Qwen2ForCausalLM    gated, biases of q, k and v; windows by layer
//   Qwen3ForCausalLM    gated, QK-norm; biases of all attention; windows by layer; without gain its
//                       q_norm and k_norm weights are ones in the file
//   ArceeForCausalLM    plain, no QK-norm; biases as Llama
//   Gemma2ForCausalLM   gated, norms after attention and feed-forward, a scaled embedding, caps
//   Gemma3ForCausalLM   the same with QK-norm, two rotary thetas, no cap on scores
// and "MuonlabForCausalLM" (model_type "muonlab") where none does. Gemma stores the gains of its
// norms less one. A checkpoint holds what the run has, so it is no Gemma; an export is. REQUIRES:
// resolved.
enum class HfFile { checkpoint, exported };
std::string hugging_face_architecture(const ModelConfig& model, HfFile file = HfFile::checkpoint);

// Why transformers does not load the checkpoints, or exports, of this model, as the rest of a
// sentence; empty where it does. Said before training, when it can still be changed. REQUIRES:
// resolved.
std::string hugging_face_gap(const ModelConfig& model, HfFile file = HfFile::checkpoint);

// Whether the exports of this model are those of a Gemma. REQUIRES: resolved.
bool exports_gains_less_one(const ModelConfig& model);

// The text of config.json (transformers 4 and 5 read it). eos_token: the end-of-text id, absent for
// none; bos likewise. The key "muonlab" holds the resolved model section; a Gemma has none.
// REQUIRES: resolved, with a vocabulary.
std::string hugging_face_config(const ModelConfig& model, std::optional<int64_t> eos_token = {},
                                std::optional<int64_t> bos_token = {},
                                HfFile file = HfFile::checkpoint);

// The model that a config.json describes, resolved: the section under "muonlab" where there is one,
// else the fields of Llama, Mistral, Qwen2, Qwen3, Arcee, Gemma 2 or the text model of Gemma 3,
// with the defaults that transformers gives them. A key that stands
// twice counts with its last value, as for Python. Throws ConfigError, naming label, for another
// architecture, for what muonlab does not compute, and for a section that disagrees with the fields
// beside it, as it does after another program changed those.
ModelConfig from_hugging_face(std::string_view text, const std::string& label);

// Whether the weights beside this config.json hold the gains of norms less one, as Gemma's do.
// Throws ConfigError where from_hugging_face does for the model's type.
bool stores_gains_less_one(std::string_view text, const std::string& label);

}  // namespace muonlab::config
