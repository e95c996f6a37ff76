#!/usr/bin/env python3
"""Writes tests/golden/rule_*.safetensors: updates of the optimizers' rules in float64, by their formulas.

    python scripts/make_rule_goldens.py [--out tests/golden] [--check]

Needs numpy and safetensors. The formulas below are written from the papers, matrix by matrix, and share nothing
with the C++. --check computes everything again and fails if a committed file differs by more than rounding.

rule_<case>.safetensors
    <name>.weight0, .grad1..n, .weight1..n     fp64 (inputs exact in float32); <name> is <role>_<rows>x<columns>
    metadata "config"    JSON: "optimizer" is the optimizer as a configuration of muonlab has it, "updates" is n
"""

import math

import numpy as np

from golden_files import write_or_check

UPDATES = 4
SHAPES = [("ffn_in", 6, 10), ("ffn_in", 10, 6), ("ffn_in", 8, 8)]
VECTOR_LIKE = [("ffn_in", 1, 7), ("ffn_in", 7, 1)]


def polar(x):
    """U V^T; directions whose singular values are rounding have none (a matrix of signs may be singular)."""
    if np.linalg.norm(x) <= 1e-30:
        return np.zeros_like(x)
    left, values, right = np.linalg.svd(x, full_matrices=False)
    return left * (values > 2.0**-24 * np.linalg.norm(x)) @ right


def scale_of(name, r, c):
    return {"none": 1.0, "sqrt(max(1,r/c))": math.sqrt(max(1.0, r / c)),
            "0.2*sqrt(max(r,c))": 0.2 * math.sqrt(max(r, c)), "sqrt(r/c)": math.sqrt(r / c)}[name]


def norm(x):
    return np.linalg.norm(x)


# A rule is a generator function: it gets the settings, role and shape, receives gradients and yields the
# direction D of W <- (1 - lr decay) W - lr D.

def momentum_of(s, m, g, mu):
    mix = 1.0 if s["momentum_form"] == "sum" else 1.0 - mu
    m[...] = mu * m + mix * g
    return mix * g + mu * m if s.get("nesterov") else m.copy()


def muon(s, role, r, c):
    m, d = np.zeros((r, c)), None
    step = 0
    while True:
        g = yield d
        step += 1
        mu = s.get("momentum", 0.95)
        if step <= s.get("momentum_warmup", 0):
            mu = s["momentum_start"] + (mu - s["momentum_start"]) * (step - 1) / s["momentum_warmup"]
        cooled = step - (UPDATES - s.get("momentum_cooldown", 0))
        if cooled > 0 and s.get("momentum_cooldown", 0) > 0:
            mu = mu + (s["momentum_final"] - mu) * cooled / s["momentum_cooldown"]
        order = s.get("order", "before")
        if order == "before":
            d = polar(momentum_of(s, m, g, mu))
        elif order == "after":
            d = momentum_of(s, m, polar(g), mu)
        else:
            d = polar(g)
        d = d * scale_of(s["scale"], r, c)


def normuon(s, role, r, c):
    m, d = np.zeros((r, c)), None
    of_rows = s["axis"] == "rows" or r >= c
    v = np.zeros(r if of_rows else c)
    while True:
        g = yield d
        o = polar(momentum_of(s, m, g, s["momentum"]))
        v = s["beta2"] * v + (1 - s["beta2"]) * (o * o).mean(axis=1 if of_rows else 0)
        divisor = np.sqrt(v) + 1e-10
        u = o / (divisor[:, None] if of_rows else divisor[None, :])
        d = u * (norm(o) / norm(u)) * scale_of(s["scale"], r, c)


def adamuon(s, role, r, c):
    m, v, d = np.zeros((r, c)), np.zeros((r, c)), None
    while True:
        g = yield d
        u = momentum_of(s, m, g, s["momentum"])
        o = polar(np.sign(u) if s["sign"] else u)
        v = s["beta2"] * v + (1 - s["beta2"]) * o * o
        d = o / (np.sqrt(v) + s["eps"])
        if s["rescale"]:
            d = d * math.sqrt(min(r, c)) / norm(d)
        d = d * scale_of(s["scale"], r, c)


def lion(s, role, r, c):
    m, d = np.zeros((r, c)), None
    b1, b2 = s["betas"]
    while True:
        g = yield d
        d = np.sign(b1 * m + (1 - b1) * g)
        m = b2 * m + (1 - b2) * g


def dion2(s, role, r, c):
    m, d = np.zeros((r, c)), None
    side = min(r, c)
    v = np.zeros(side)
    while True:
        g = yield d
        m = m + g
        rows = m if r <= c else m.T  # a view: the fewer ones first
        k = max(1, math.ceil(s["fraction"] * side - 1e-9))
        chosen = np.sort(np.argsort(-np.abs(rows).sum(axis=1))[:k])
        o = polar(rows[chosen])
        rows[chosen] *= s["momentum"]
        if s["normalize"]:
            v[chosen] = s["beta2"] * v[chosen] + (1 - s["beta2"]) * (o * o).mean(axis=1)
            u = o / (np.sqrt(v[chosen]) + 1e-10)[:, None]
            o = u * norm(o) / norm(u)
        d = np.zeros_like(rows)
        d[chosen] = o
        d = (d if r <= c else d.T) * scale_of(s["scale"], r, c)


def scion(s, role, r, c):
    m, d = np.zeros((r, c)), None
    kind = {"embed": "row", "head": "sign"}.get(role, "spectral") if s["norm"] == "auto" else s["norm"]
    radius = {"embed": s["embed_radius"], "head": s["head_radius"]}.get(role, s["radius"])
    while True:
        g = yield d
        m = s["momentum"] * m + (1 - s["momentum"]) * g
        if kind == "spectral":
            d = math.sqrt(r / c) * polar(m)
        elif kind == "sign":
            d = np.sign(m) / c
        else:
            d = m / np.sqrt((m * m).mean(axis=1, keepdims=True))
        d = radius * d


def soap(s, role, r, c):
    # W keeps still in the first update, which finds the basis.
    b1, b2 = s["betas"]
    b = s["basis_beta"]
    m, v, d = np.zeros((r, c)), np.zeros((r, c)), None
    turned = [r <= s["max_side"], c <= s["max_side"]]
    factors, bases = [np.zeros((r, r)), np.zeros((c, c))], [np.eye(r), np.eye(c)]
    age = 0
    while True:
        g = yield d
        age += 1
        d = np.zeros((r, c))
        if age > 1:
            m = b1 * m + (1 - b1) * g
            p = bases[0].T @ g @ bases[1]
            v = b2 * v + (1 - b2) * p * p
            a = bases[0].T @ m @ bases[1] / (1 - b1 ** (age - 1))
            a = a / (np.sqrt(v / (1 - b2 ** (age - 1))) + s["eps"])
            d = bases[0] @ a @ bases[1].T
            if s["polar"]:
                d = polar(d) * scale_of(s["scale"], r, c)
        weights = [np.eye(r), np.eye(c)]
        if s["kl"] and age > 1:
            for i in (0, 1):
                if turned[i]:
                    q = bases[i]
                    values = np.diag(q.T @ factors[i] @ q) / (1 - b ** (age - 1))
                    weights[i] = q @ np.diag(1 / np.maximum(values, s["eps"])) @ q.T
        new = [g @ weights[1] @ g.T, g.T @ weights[0] @ g]
        for i, other in ((0, c), (1, r)):
            if turned[i]:
                factors[i] = b * factors[i] + (1 - b) * new[i] / (other if s["kl"] else 1)
        if (age - 1) % s["basis_every"] == 0:
            for i in (0, 1):
                if not turned[i]:
                    continue
                if age == 1:
                    bases[i] = np.linalg.eigh(factors[i])[1][:, ::-1]
                    continue
                values = np.diag(bases[i].T @ factors[i] @ bases[i])
                order = np.argsort(-values, kind="stable")
                v = np.take(v, order, axis=i)
                bases[i] = np.linalg.qr(factors[i] @ bases[i][:, order])[0]


def ember(s, role, r, c):
    rows, columns, mean, d, age = np.zeros(r), np.zeros(c), 0.0, None, 0
    b = s["beta2"]
    while True:
        g = yield d
        age += 1
        rows = b * rows + (1 - b) * (g * g).mean(axis=1)
        columns = b * columns + (1 - b) * (g * g).mean(axis=0)
        mean = b * mean + (1 - b) * (g * g).mean()
        v = np.outer(rows, columns) / (mean * (1 - b ** age))
        d = g / (np.sqrt(v) + s["eps"])


def adamw(s, role, r, c):
    m, v, d, age = np.zeros((r, c)), np.zeros((r, c)), None, 0
    b1, b2 = s["betas"]
    while True:
        g = yield d
        age += 1
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g * g
        d = m / (1 - b1 ** age) / (np.sqrt(v / (1 - b2 ** age)) + s["eps"])


RULES = {f.__name__: f for f in (muon, normuon, adamuon, lion, dion2, scion, soap, ember, adamw)}

SVD = {"orthogonalizer": "svd"}
MUON = {"rule": "muon", "lr": 0.02, "momentum": 0.95, "momentum_form": "sum", "scale": "none", "decay": 0.1, **SVD}
NORMUON = {"rule": "normuon", "lr": 0.02, "momentum": 0.95, "momentum_form": "average", "nesterov": True,
           "scale": "sqrt(max(1,r/c))", "beta2": 0.95, "axis": "rows", "decay": 0.1, **SVD}
ADAMUON = {"rule": "adamuon", "lr": 0.01, "momentum": 0.95, "momentum_form": "sum", "nesterov": False, "beta2": 0.95,
           "eps": 1e-8, "sign": True, "rescale": True, "scale": "0.2*sqrt(max(r,c))", "decay": 0.1, **SVD}
DION2 = {"rule": "dion2", "lr": 0.02, "fraction": 0.5, "momentum": 0.9, "normalize": False, "scale": "sqrt(r/c)",
         "decay": 0.1, **SVD}
SCION = {"rule": "scion", "lr": 0.001, "momentum": 0.9, "norm": "auto", "radius": 50.0, "embed_radius": 5.0,
         "head_radius": 300.0, "decay": 1.0, **SVD}
SOAP = {"rule": "soap", "lr": 0.01, "betas": [0.9, 0.95], "basis_beta": 0.9, "basis_every": 1, "max_side": 8,
        "kl": False, "eps": 1e-8, "polar": False, "decay": 0.1}
ADAMW = {"rule": "adamw", "lr": 0.01, "betas": [0.8, 0.95], "eps": 1e-8, "decay": 0.1}

CASES = {
    "muon_after": {**MUON, "order": "after"},
    "muon_after_average_nesterov":
        {**MUON, "order": "after", "momentum_form": "average", "nesterov": True, "scale": "sqrt(r/c)"},
    "muon_none": {k: v for k, v in {**MUON, "order": "none"}.items() if k not in ("momentum", "momentum_form")},
    "muon_momentum_course": {**MUON, "momentum_form": "average", "nesterov": True, "momentum_warmup": 2,
                             "momentum_start": 0.5, "momentum_cooldown": 1, "momentum_final": 0.7},
    "normuon_rows": NORMUON,
    "normuon_longer": {**NORMUON, "axis": "longer", "nesterov": False, "momentum_form": "sum", "scale": "none"},
    "adamuon_paper": ADAMUON,
    "adamuon_repository": {**ADAMUON, "sign": False, "nesterov": True, "momentum_form": "average", "beta2": 0.999},
    "adamuon_emerging": {**ADAMUON, "sign": False, "rescale": False, "momentum_form": "average", "scale": "none"},
    "lion": {"rule": "lion", "lr": 0.003, "betas": [0.9, 0.99], "decay": 0.1},
    "dion2": DION2,
    "dion2_normalized": {**DION2, "normalize": True, "beta2": 0.9, "fraction": 0.25},
    "scion": SCION,
    "scion_unconstrained": {**SCION, "norm": "row", "decay": 0.0},
    "soap": SOAP,
    "soap_every_2_kl": {**SOAP, "basis_every": 2, "kl": True},
    # With a small eps the first direction would be a matrix of signs, which may be singular.
    "soap_polar": {**SOAP, "eps": 0.05, "polar": True, "scale": "sqrt(max(1,r/c))", **SVD},
    "ember": {"rule": "ember", "lr": 0.01, "beta2": 0.99, "eps": 1e-8, "decay": 0.1},
    "adamw_cautious": {**ADAMW, "cautious": True},
    "adamw_hyperball": {**ADAMW, "hyperball": True, "decay": 0.0},
    "adamw_rate_squared": {**ADAMW, "lr": 0.2, "decay_form": "rate_squared"},
    "adamw_floor": {**ADAMW, "floor": 4.0},
    "muon_hyperball": {**MUON, "hyperball": True, "decay": 0.0},
    "muon_cautious_floor": {**MUON, "cautious": True, "floor": 0.9, "decay_form": "rate_squared", "lr": 0.3},
}


def advance(s, weight, direction, radius):
    lr = s["lr"]
    if s.get("hyperball"):
        moved = weight - lr * radius * direction / norm(direction) if norm(direction) > 0 else weight
        return moved * radius / norm(moved)
    if s.get("floor", 0) > 0 and 0 < norm(direction) < s["floor"] * norm(weight):
        direction = direction * s["floor"] * norm(weight) / norm(direction)
    share = lr * s["decay"] * (lr if s.get("decay_form") == "rate_squared" else 1.0)
    mask = direction * weight >= 0 if s.get("cautious") else 1.0
    return weight * (1 - share * mask) - lr * direction


def make_case(s):
    shapes = SHAPES + ([] if s["rule"] == "soap" else VECTOR_LIKE)
    if s["rule"] in ("scion", "ember"):
        shapes = shapes + [("embed", 12, 5), ("head", 11, 5)]
    tensors = {}
    for role, r, c in shapes:
        rng = np.random.default_rng(r * 1000 + c + len(role))
        draw = lambda std: (std * rng.standard_normal((r, c))).astype(np.float32).astype(np.float64)
        name = f"{role}_{r}x{c}"
        weight = draw(0.3)
        radius = norm(weight)
        tensors[f"{name}.weight0"] = weight.copy()
        rule = RULES[s["rule"]](s, role, r, c)
        next(rule)
        for step in range(1, UPDATES + 1):
            grad = draw(0.1 * 2.0 ** (step - 1))
            weight = advance(s, weight, rule.send(grad), radius)
            tensors[f"{name}.grad{step}"] = grad
            tensors[f"{name}.weight{step}"] = weight.copy()
    return tensors, {"optimizer": s, "updates": UPDATES}


def main():
    cases = ((f"rule_{name}", *make_case(settings)) for name, settings in CASES.items())
    write_or_check(cases, "scripts/make_rule_goldens.py", lambda name: 1e-10)


if __name__ == "__main__":
    main()
