// The architectures of transformers that compute what muonlab computes.
#pragma once

namespace muonlab::config {

struct Architecture {
  const char* name;
  const char* model_type;
};
inline constexpr Architecture kLlama{"LlamaForCausalLM", "llama"},
    kQwen3{"Qwen3ForCausalLM", "qwen3"}, kArcee{"ArceeForCausalLM", "arcee"},
    kOwn{"MuonlabForCausalLM", "muonlab"};

}  // namespace muonlab::config
