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

import math

import numpy as np
import torch
import transformers

from golden_files import write_or_check
from model_goldens import FAMILY_CASES, MODEL_CASES, make_family_case, make_model_case


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
