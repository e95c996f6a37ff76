// The architectures of transformers that compute what muonlab computes.
#pragma once

#include <string_view>

namespace muonlab::config {

struct Architecture {
  const char* name;
  const char* model_type;
};
inline constexpr Architecture kLlama{"LlamaForCausalLM", "llama"},
    kMistral{"MistralForCausalLM", "mistral"}, kQwen2{"Qwen2ForCausalLM", "qwen2"},
    kQwen3{"Qwen3ForCausalLM", "qwen3"}, kArcee{"ArceeForCausalLM", "arcee"},
    kGemma2{"Gemma2ForCausalLM", "gemma2"}, kGemma3{"Gemma3ForCausalLM", "gemma3_text"},
    kOwn{"MuonlabForCausalLM", "muonlab"};

inline bool is_gemma(std::string_view model_type) {
  return model_type == kGemma2.model_type || model_type == kGemma3.model_type;
}

}  // namespace muonlab::config
