#!/usr/bin/env python3
"""Writes the independent reference values that the C++ tests compare with: tests/golden/*.safetensors.

    python scripts/make_goldens.py [--out tests/golden] [--check]

Needs the packages of scripts/requirements-peer.txt; muonlab itself needs no Python. The files are committed,
so this script runs only when a case is added. --check computes everything again and fails if a committed
file differs by more than rounding.

model_<case>.safetensors   A tiny model of transformers, run in float64 on float32
    parameters (transformers itself keeps float32 inside RMSNorm and the rotary table: about 1e-7).
    param.<name>  fp32   every parameter, Hugging Face names; a tied model has no lm_head.weight;
                         qk_norm "no_gain" is Qwen3 with gains of one, which are left out of the file
    tokens, targets      int64 [batch, time]
    logits        fp32   [batch, time, vocabulary]
    loss          fp64   [1], mean cross-entropy over all batch * time tokens
    grad.<name>   fp32   gradient of that mean
    metadata "config"    JSON, the Hugging Face fields and "architecture", "qk_norm"; or, for models of
                         further families, their config.json under "hf_config"

muon_<case>.safetensors    Three steps of Muon in float64, by the formulas below, for several shapes.
    <rows>x<cols>.weight0, .grad1..3 (float32-representable), .momentum1..3, .weight1..3, and
    .direction3: the orthogonalized direction of step 3 before scale and learning rate.
    metadata "config"    JSON with every number and, in words, every convention

adamw_<case>.safetensors   Three steps of torch.optim.AdamW in float64: weight0..3, grad1..3, exp_avg3, exp_avg_sq3.
"""

import json
import math

import numpy as np
import torch
import transformers

from golden_files import write_or_check

# ------------------------------------------------------------------------------------------- models

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
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=generator)
            if name.endswith(".value_residual"):
                p.copy_(0.4 + 0.2 * noise)
            elif name.endswith(".bias"):
                p.copy_(0.3 * noise)
            elif p.ndim == 1:
                p.copy_(1 - offset + 0.1 * noise)
            elif "embed_tokens" in name or "lm_head" in name:
                p.copy_(0.5 * noise)
            else:
                p.copy_(noise / math.sqrt(p.shape[1]))
    window = torch.randint(VOCABULARY, (BATCH, TIME + 1), generator=generator)
    tokens, targets = window[:, :-1].contiguous(), window[:, 1:].contiguous()
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


def is_omitted(name, qk_norm):
    return qk_norm == "no_gain" and (".q_norm." in name or ".k_norm." in name)


def make_model_case(seed, case):
    config = model_config(*case)
    generator = torch.Generator().manual_seed(seed)
    model = build_model(config)
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=generator)
            if is_omitted(name, config["qk_norm"]):
                p.fill_(1.0)
            elif p.ndim == 1:
                p.copy_(1 + 0.1 * noise)
            elif "embed_tokens" in name or "lm_head" in name:
                p.copy_(0.5 * noise)
            else:
                p.copy_(noise / math.sqrt(p.shape[1]))
    window = torch.randint(VOCABULARY, (BATCH, TIME + 1), generator=generator)
    tokens, targets = window[:, :-1].contiguous(), window[:, 1:].contiguous()

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


# --------------------------------------------------------------------------------------------- Muon

KELLER = (3.4445, -4.7750, 2.0315)
YOU = [(4.0848, -6.8946, 2.9270), (3.9505, -6.3029, 2.6377), (3.7418, -5.5913, 2.3037),
       (2.8769, -3.1427, 1.2046), (2.8366, -3.0525, 1.2012)]
POLAR_EXPRESS_MODDED = [
    (8.156554524902461, -22.48329292557795, 15.878769915207462),
    (4.042929935166739, -2.808917465908714, 0.5000178451051316),
    (3.8916678022926607, -2.772484153217685, 0.5060648178503393),
    (3.285753657755655, -2.3681294933425376, 0.46449024233003106),
    (2.3465413258596377, -1.7097828382687081, 0.42323551169305323)]
POLAR_EXPRESS_RAW = [
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
    (3.3184196573706015, -2.488488024314874, 0.51004894012372),
    (2.300652019954817, -1.6689039845747493, 0.4188073119525673),
    (1.891301407787398, -1.2679958271945868, 0.37680408948524835),
    (1.8750014808534479, -1.2500016453999487, 0.3750001645474248),
    (1.875, -1.25, 0.375)]


def with_safety(triples, safety):
    """p(x / safety) as a polynomial in x, for all triples but the list's last."""
    scaled = [(a / safety, b / safety**3, c / safety**5) for a, b, c in triples[:-1]]
    return scaled + [triples[-1]]


# (orthogonalizer, steps): (triples, factor on the Frobenius norm, note)
COEFFICIENTS = {
    ("keller", 5): ([KELLER] * 5, 1.0, "Keller's triple, 5 times"),
    ("you", 5): (YOU, 1.0, "YouJiacheng's five triples"),
    ("polar_express", 5): (POLAR_EXPRESS_MODDED, 1.02,
                      "modded-nanogpt's five triples (made with 2e-2 safety); X0 = U / (1.02 ||U||_F)"),
    ("polar_express", 8): (with_safety(POLAR_EXPRESS_RAW, 1.01), 1.0,
                        "the paper's eight triples, all but the eighth divided by safety 1.01: "
                        "(a/s, b/s^3, c/s^5); X0 = U / ||U||_F"),
    ("polar_express", 6): (with_safety(POLAR_EXPRESS_RAW, 1.01)[:6], 1.0,
                        "the first six of the eight triples of steps = 8"),
    ("exact", 10): ([KELLER] * 8 + [(2.0, -1.5, 0.5)] * 2, 1.0, "Keller's triple 8 times, then (2,-1.5,.5) twice"),
    ("svd", 0): (None, 1.0, "U V^T of numpy's float64 SVD; a zero matrix gives zero"),
}

SCALES = {
    "none": lambda rows, cols: 1.0,
    "sqrt(max(1,r/c))": lambda rows, cols: math.sqrt(max(1.0, rows / cols)),
    "0.2*sqrt(max(r,c))": lambda rows, cols: 0.2 * math.sqrt(max(rows, cols)),
    "sqrt(r/c)": lambda rows, cols: math.sqrt(rows / cols),
}

SHAPES = [(6, 10), (10, 6), (8, 8), (1, 7), (7, 1)]
LARGE = (12, 16)
MOMENTUM, MUON_LR, MUON_DECAY = 0.95, 0.02, 0.1

# name: (momentum form, nesterov, (orthogonalizer, steps), scale, decay, shapes)
MUON_CASES = {
    "sum_keller": ("sum", False, ("keller", 5), "none", 0.0, SHAPES + [LARGE]),
    "sum_keller_nesterov": ("sum", True, ("keller", 5), "sqrt(max(1,r/c))", MUON_DECAY, SHAPES),
    "average_keller": ("average", False, ("keller", 5), "0.2*sqrt(max(r,c))", MUON_DECAY, SHAPES),
    "average_keller_nesterov": ("average", True, ("keller", 5), "sqrt(r/c)", 0.0, SHAPES),
    "sum_you": ("sum", False, ("you", 5), "sqrt(r/c)", MUON_DECAY, SHAPES),
    "average_you_nesterov": ("average", True, ("you", 5), "sqrt(max(1,r/c))", MUON_DECAY, SHAPES),
    "sum_polar_express": ("sum", False, ("polar_express", 5), "0.2*sqrt(max(r,c))", 0.0, SHAPES),
    "average_polar_express_nesterov":
        ("average", True, ("polar_express", 5), "none", MUON_DECAY, SHAPES + [LARGE]),
    "sum_polar_express_8": ("sum", False, ("polar_express", 8), "none", MUON_DECAY, SHAPES),
    "sum_polar_express_6_nesterov": ("sum", True, ("polar_express", 6), "sqrt(r/c)", 0.0, SHAPES),
    "sum_exact": ("sum", False, ("exact", 10), "none", 0.0, SHAPES + [LARGE]),
    "average_exact_nesterov": ("average", True, ("exact", 10), "0.2*sqrt(max(r,c))", MUON_DECAY, SHAPES),
    "sum_svd": ("sum", False, ("svd", 0), "sqrt(max(1,r/c))", 0.0, SHAPES + [LARGE]),
    "average_svd_nesterov": ("average", True, ("svd", 0), "sqrt(r/c)", MUON_DECAY, SHAPES),
}


def orthogonalize(update, coefficients):
    triples, norm_factor, _ = COEFFICIENTS[coefficients]
    norm = np.linalg.norm(update)
    if norm <= 1e-30:
        return np.zeros_like(update)
    if triples is None:
        left, _, right = np.linalg.svd(update, full_matrices=False)
        return left @ right
    x = update / (norm * norm_factor)
    for a, b, c in triples:
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x


def make_muon_case(case):
    form, nesterov, coefficients, scale, decay, shapes = case
    tensors = {}
    for rows, cols in shapes:
        # The inputs depend on the shape alone and are exact in float32.
        rng = np.random.default_rng(rows * 1000 + cols)
        draw = lambda std: (std * rng.standard_normal((rows, cols))).astype(np.float32).astype(np.float64)
        weight, momentum = draw(0.3), np.zeros((rows, cols))
        tensors[f"{rows}x{cols}.weight0"] = weight.copy()
        for step in (1, 2, 3):
            grad = draw(0.01 * 4.0 ** (step - 1))
            if form == "sum":
                momentum = MOMENTUM * momentum + grad
                update = grad + MOMENTUM * momentum if nesterov else momentum
            else:
                momentum = MOMENTUM * momentum + (1 - MOMENTUM) * grad
                update = (1 - MOMENTUM) * grad + MOMENTUM * momentum if nesterov else momentum
            direction = orthogonalize(update, coefficients)
            weight = weight * (1 - MUON_LR * decay) - MUON_LR * SCALES[scale](rows, cols) * direction
            tensors[f"{rows}x{cols}.grad{step}"] = grad
            tensors[f"{rows}x{cols}.momentum{step}"] = momentum.copy()
            tensors[f"{rows}x{cols}.weight{step}"] = weight.copy()
        tensors[f"{rows}x{cols}.direction3"] = direction
    triples, norm_factor, note = COEFFICIENTS[coefficients]
    config = {
        "lr": MUON_LR, "momentum": MOMENTUM, "momentum_form": form, "nesterov": nesterov,
        "orthogonalizer": coefficients[0], "steps": coefficients[1], "scale": scale, "decay": decay, "updates": 3,
        "norm_factor": norm_factor, "triples": [list(t) for t in triples or []],
        "conventions": {
            "coefficients": note,
            "momentum": "sum: M <- mu M + G; average: M <- mu M + (1-mu) G; M starts at zero",
            "nesterov": "sum: U = G + mu M; average: U = (1-mu) G + mu M; off: U = M",
            "start": "X0 = U / (norm_factor ||U||_F); a norm of at most 1e-30 gives a zero direction",
            "iteration": "X <- a X + (b A + c A A) X with A = X X^T",
            "scale": "r, c: rows and columns of the stored (out, in) matrix",
            "decay": "W <- (1 - lr decay) W, once, with the base rate; then W <- W - lr scale X",
        },
    }
    return {k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in tensors.items()}, config


# -------------------------------------------------------------------------------------------- AdamW

ADAMW_CASES = {"decay_0": 0.0, "decay_0.1": 0.1}


def make_adamw_case(decay):
    generator = torch.Generator().manual_seed(77)
    draw = lambda std: (std * torch.randn(5, 7, generator=generator)).double()
    p = torch.nn.Parameter(draw(0.3))
    optimizer = torch.optim.AdamW([p], lr=0.01, betas=(0.8, 0.95), eps=1e-8, weight_decay=decay)
    tensors = {"weight0": p.detach().clone()}
    for step in (1, 2, 3):
        p.grad = draw(0.01 * 4.0 ** (step - 1))
        p.grad[0, :3] *= torch.tensor([1e-6, 1e-8, 0.0])  # where eps matters
        p.grad = p.grad.float().double()
        tensors[f"grad{step}"] = p.grad.clone()
        optimizer.step()
        tensors[f"weight{step}"] = p.detach().clone()
    tensors["exp_avg3"] = optimizer.state[p]["exp_avg"].clone()
    tensors["exp_avg_sq3"] = optimizer.state[p]["exp_avg_sq"].clone()
    config = {"lr": 0.01, "betas": [0.8, 0.95], "eps": 1e-8, "decay": decay, "updates": 3,
              "conventions": {"decay": "W <- (1 - lr decay) W, then the Adam step with bias correction",
                              "eps": "added to sqrt(v / (1 - beta2^t))"}}
    return tensors, config


# --------------------------------------------------------------------------------------------- main

def all_cases():
    for i, (name, case) in enumerate(MODEL_CASES.items()):
        yield f"model_{name}", *make_model_case(100 + i, case)
    for i, (name, case) in enumerate(FAMILY_CASES.items()):
        yield f"model_{name}", *make_family_case(200 + i, *case, value_residuals=name.endswith("value_residual"))
    for name, case in MUON_CASES.items():
        yield f"muon_{name}", *make_muon_case(case)
    for name, decay in ADAMW_CASES.items():
        yield f"adamw_{name}", *make_adamw_case(decay)


def main():
    torch.set_num_threads(1)
    cases = ((name, {key: value.detach().numpy() for key, value in tensors.items()}, config)
             for name, tensors, config in all_cases())
    # float32 islands of transformers allow 1e-6
    write_or_check(cases, f"scripts/make_goldens.py; torch {torch.__version__}, transformers {transformers.__version__}",
                   lambda name: 1e-6 if name.startswith("model_") else 1e-12)


if __name__ == "__main__":
    main()
