// The architectures of transformers that compute what muonlab computes.
#pragma once

namespace muonlab::config {

struct Architecture {
  const char* name;
  const char* model_type;
};
inline constexpr Architecture kLlama{"LlamaForCausalLM", "llama"},
    kMistral{"MistralForCausalLM", "mistral"}, kQwen2{"Qwen2ForCausalLM", "qwen2"},
    kQwen3{"Qwen3ForCausalLM", "qwen3"}, kArcee{"ArceeForCausalLM", "arcee"},
    kGemma2{"Gemma2ForCausalLM", "gemma2"}, kOwn{"MuonlabForCausalLM", "muonlab"};

}  // namespace muonlab::config
