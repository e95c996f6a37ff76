"""Tiny models of transformers and what they compute, for make_goldens.py, which describes the files."""

import json
import math

import torch
import transformers

VOCABULARY, BATCH, TIME = 61, 2, 10

# name: (architecture, tied, kv heads, qk_norm, layers)
MODEL_CASES = {
    "llama_gqa_untied": ("LlamaForCausalLM", False, 2, "none", 2),
    "llama_gqa_tied": ("LlamaForCausalLM", True, 2, "none", 1),
    "llama_mha_untied": ("LlamaForCausalLM", False, 4, "none", 1),
    "llama_mha_tied": ("LlamaForCausalLM", True, 4, "none", 1),
    "qwen3_gain_gqa_untied": ("Qwen3ForCausalLM", False, 2, "gain", 1),
    "qwen3_gain_gqa_tied": ("Qwen3ForCausalLM", True, 2, "gain", 2),
    "qwen3_gain_mha_untied": ("Qwen3ForCausalLM", False, 4, "gain", 1),
    "qwen3_gain_mha_tied": ("Qwen3ForCausalLM", True, 4, "gain", 1),
    "qwen3_nogain_gqa_untied": ("Qwen3ForCausalLM", False, 2, "no_gain", 1),
    "qwen3_nogain_gqa_tied": ("Qwen3ForCausalLM", True, 2, "no_gain", 1),
    "qwen3_nogain_mha_untied": ("Qwen3ForCausalLM", False, 4, "no_gain", 1),
    "qwen3_nogain_mha_tied": ("Qwen3ForCausalLM", True, 4, "no_gain", 2),
    "arcee_gqa_untied": ("ArceeForCausalLM", False, 1, "none", 2),
    "arcee_gqa_tied": ("ArceeForCausalLM", True, 2, "none", 1),
    "arcee_mha_untied": ("ArceeForCausalLM", False, 4, "none", 1),
    "arcee_mha_tied": ("ArceeForCausalLM", True, 4, "none", 1),
}



# name: (model_type, fields of the config); parameters as Hugging Face names them, with its own
# config.json, which the C++ reads. Contexts, windows and original contexts are small enough that each
# of them acts on TIME tokens.
def rope(kind, theta=10000.0, **fields):
    return {"rope_parameters": {"rope_type": kind, "rope_theta": theta, **fields}}


LLAMA3 = dict(factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16)
LAYERS = {"num_hidden_layers": 2}
WINDOW_2 = {"use_sliding_window": True, "sliding_window": 3}
FAMILY_CASES = {
    "llama_llama3": ("llama", rope("llama3", 500000.0, **LLAMA3)),
    "llama_linear": ("llama", rope("linear", factor=2.0)),
    "llama_dynamic": ("llama", {"max_position_embeddings": 6, **rope("dynamic", 100.0, factor=3.0)}),
    "llama_yarn": ("llama", rope("yarn", 10.0, factor=4.0, beta_fast=2.0, beta_slow=0.5,
                                 original_max_position_embeddings=16)),
    "llama_biases": ("llama", {"attention_bias": True, "mlp_bias": True}),
    "arcee_biases": ("arcee", {"attention_bias": True, "mlp_bias": True, "hidden_act": "relu2"}),
    "mistral_window": ("mistral", {"sliding_window": 4, **LAYERS}),
    "qwen2": ("qwen2", {"tie_word_embeddings": True}),
    "qwen2_window": ("qwen2", {**WINDOW_2, "max_window_layers": 1, **LAYERS}),
    "qwen3_window_biases": ("qwen3", {**WINDOW_2, "attention_bias": True, **LAYERS,
                                      "layer_types": ["sliding_attention", "full_attention"]}),
    "gemma2": ("gemma2", {"sliding_window": 3, "attn_logit_softcapping": 2.0, "query_pre_attn_scalar": 5,
                          "final_logit_softcapping": 3.0, "tie_word_embeddings": True, **LAYERS}),
    "gemma3": ("gemma3_text", {"sliding_window": 3, "query_pre_attn_scalar": 5, "final_logit_softcapping": 3.0,
                               "tie_word_embeddings": True, "num_hidden_layers": 3,
                               "layer_types": ["sliding_attention", "sliding_attention", "full_attention"],
                               "rope_parameters": {"full_attention": {**rope("linear", 100.0, factor=2.0)["rope_parameters"]},
                                                   "sliding_attention": {**rope("default", 10.0)["rope_parameters"]}}}),
    "llama_value_residual": ("llama", {"num_hidden_layers": 3}),
}


def family_config(model_type, changes):
    fields = {
        "model_type": model_type, "hidden_size": 12, "intermediate_size": 20, "num_hidden_layers": 1,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 6, "vocab_size": VOCABULARY,
        "rms_norm_eps": 1e-5, "max_position_embeddings": 32, "tie_word_embeddings": False, **rope("default"),
    }
    return {**fields, **changes}


def add_value_residuals(model):
    """ResFormer: each later layer computes with (1 - share) v + share v_first, its share a parameter."""
    first, *later = [layer.self_attn for layer in model.model.layers]
    values = {}
    first.v_proj.register_forward_hook(lambda module, inputs, output: values.update(first=output))
    for attention in later:
        share = torch.nn.Parameter(torch.zeros(1))
        attention.register_parameter("value_residual", share)
        attention.v_proj.register_forward_hook(
            lambda module, inputs, output, share=share: (1 - share) * output + share * values["first"])


def is_omitted(name, qk_norm):
    return qk_norm == "no_gain" and (".q_norm." in name or ".k_norm." in name)


def draw(model, generator, gain=1.0, qk_norm=None):
    """Random parameters, in place, and a batch: tokens and targets. Gains lie around gain; omitted ones are one."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=generator)
            if is_omitted(name, qk_norm):
                p.fill_(1.0)
            elif name.endswith(".value_residual"):
                p.copy_(0.4 + 0.2 * noise)
            elif name.endswith(".bias"):
                p.copy_(0.3 * noise)
            elif p.ndim == 1:
                p.copy_(gain + 0.1 * noise)
            elif "embed_tokens" in name or "lm_head" in name:
                p.copy_(0.5 * noise)
            else:
                p.copy_(noise / math.sqrt(p.shape[1]))
    window = torch.randint(VOCABULARY, (BATCH, TIME + 1), generator=generator)
    return window[:, :-1].contiguous(), window[:, 1:].contiguous()


def make_family_case(seed, model_type, changes, value_residuals=False):
    """Gemma stores its norms' gains less one; param and grad hold the gains themselves."""
    fields = family_config(model_type, changes)
    rest = {k: v for k, v in fields.items() if k != "model_type"}
    config = transformers.AutoConfig.for_model(model_type, bos_token_id=None, eos_token_id=None, pad_token_id=None,
                                               use_cache=False, **json.loads(json.dumps(rest)))
    config._attn_implementation = "eager"
    model = transformers.AutoModelForCausalLM.from_config(config)
    offset = 1.0 if model_type.startswith("gemma") else 0.0
    if value_residuals:
        add_value_residuals(model)
    generator = torch.Generator().manual_seed(seed)
    tokens, targets = draw(model, generator, gain=1 - offset)
    model.double()
    logits = model(input_ids=tokens).logits
    loss = torch.nn.functional.cross_entropy(logits.view(-1, VOCABULARY), targets.view(-1))
    loss.backward()
    tensors = {"tokens": tokens, "targets": targets, "logits": logits.detach().float(),
               "loss": loss.detach().reshape(1)}
    for name, p in model.named_parameters():
        gain = offset if p.ndim == 1 and name.endswith("norm.weight") else 0.0
        tensors["param." + name] = (p.detach() + gain).float()
        tensors["grad." + name] = p.grad.float()
    return tensors, {"hf_config": fields, **({"value_residual": "learned"} if value_residuals else {})}


def model_config(architecture, tied, kv_heads, qk_norm, layers):
    return {
        "architecture": architecture,
        "hidden_size": 12,
        "intermediate_size": 20,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": kv_heads,
        "head_dim": 6,  # not 12 / 4
        "vocab_size": VOCABULARY,
        "rope_theta": 10000.0,
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": tied,
        "hidden_act": "relu2" if architecture == "ArceeForCausalLM" else "silu",
        "qk_norm": qk_norm,
        "max_position_embeddings": 16,
    }


def build_model(config):
    config_type = getattr(transformers, config["architecture"].replace("ForCausalLM", "Config"))
    fields = {k: v for k, v in config.items() if k not in ("architecture", "qk_norm", "rope_theta")}
    rope = {"rope_type": "default", "rope_theta": config["rope_theta"]}
    if int(transformers.__version__.split(".")[0]) >= 5:
        fields["rope_parameters"] = rope
    else:
        fields["rope_theta"] = config["rope_theta"]
    hf_config = config_type(attention_bias=False, use_cache=False, attn_implementation="eager",
                            bos_token_id=None, eos_token_id=None, pad_token_id=None, **fields)
    return getattr(transformers, config["architecture"])(hf_config)


def make_model_case(seed, case):
    config = model_config(*case)
    generator = torch.Generator().manual_seed(seed)
    model = build_model(config)
    tokens, targets = draw(model, generator, qk_norm=config["qk_norm"])

    tensors = {"tokens": tokens, "targets": targets}
    parameters = {n: p for n, p in model.named_parameters() if not is_omitted(n, config["qk_norm"])}
    for name, p in parameters.items():
        tensors["param." + name] = p.detach().float().clone()
    model.double()
    logits = model(input_ids=tokens).logits
    loss = torch.nn.functional.cross_entropy(logits.view(-1, VOCABULARY), targets.view(-1))
    loss.backward()
    assert logits.dtype == torch.float64
    tensors["logits"] = logits.detach().float()
    tensors["loss"] = loss.detach().reshape(1)
    parameters = {n: p for n, p in model.named_parameters() if not is_omitted(n, config["qk_norm"])}
    for name, p in parameters.items():
        assert p.grad.abs().max() > 1e-6, name
        tensors["grad." + name] = p.grad.float()
    return tensors, config
