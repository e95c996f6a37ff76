#!/usr/bin/env python3
"""Shows that muonlab's training steps are PyTorch's: the same losses, step by step, from the same weights and samples.

    python scripts/parity.py [CONFIG] [--muonlab build/release/muonlab] [--steps 20] [--case adamw|muon|own]...

For each case it writes a configuration that extends CONFIG (default: a small model on the embedded corpus) in fp32,
lets `muonlab init` write the step-0 checkpoint, `muonlab data samples` print the samples and `muonlab train` train;
then trains the same checkpoint with transformers' model, torch.optim.AdamW and Muon's formula in fp32, written out
below. Every number (rates, betas, schedule, batch, routing) is read from the run's resolved.json. Fails if a loss
differs by more than --limit, by default 2e-4.

Cases: adamw  AdamW on everything.
       muon   Muon (sum, no Nesterov, Keller's five steps, fp32 iteration) on V, O and the feed-forward; AdamW
              elsewhere.
       own    the optimizers of CONFIG itself (rules adamw and muon with Keller's, You's or the exact coefficients).
"""

import argparse
import fnmatch
import json
import math
import pathlib
import re
import subprocess
import sys
import tempfile

import torch
import transformers

transformers.utils.logging.disable_progress_bar()

SMALL = {
    "model": {"layers": 3, "width": 96, "heads": 4, "kv_heads": 2, "head_dim": 32, "ffn_width": 160, "context": 64},
    "data": {"kind": "biographies", "m": 6, "tokenizer": {"kind": "byte"}},
    "train": {"steps": 20, "batch": 8},
}

ADAM = {"rule": "adamw", "lr": 1e-3, "betas": [0.8, 0.95], "decay": 0.01}
CASES = {
    "adamw": {"optimizers": {"parity_adam": ADAM}, "assign": [{"params": ["all"], "optimizer": "parity_adam"}]},
    "muon": {
        "optimizers": {
            "parity_adam": ADAM,
            "parity_muon": {"rule": "muon", "lr": 0.01, "orthogonalizer": "keller", "steps": 5, "iteration": "fp32"},
        },
        "assign": [{"params": ["vo", "ffn"], "optimizer": "parity_muon"},
                   {"params": ["all"], "optimizer": "parity_adam"}],
    },
    "own": {},
}


def run_muonlab(program, *arguments):
    done = subprocess.run([str(program), *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{program} {' '.join(map(str, arguments))} failed ({done.returncode}):\n{done.stdout}{done.stderr}")
    return done.stdout


# ---------------------------------------------------------------------------------------- routing

GROUPS = {"qk": {"q", "k"}, "vo": {"v", "o"}, "attn": {"q", "k", "v", "o"},
          "ffn": {"ffn_in", "ffn_gate", "ffn_out"}}
GROUPS["matrices"] = GROUPS["attn"] | GROUPS["ffn"]


def role_of(name, gated):
    for part, role in (("q_proj", "q"), ("k_proj", "k"), ("v_proj", "v"), ("o_proj", "o"), ("down_proj", "ffn_out"),
                       ("gate_proj", "ffn_in"), ("up_proj", "ffn_gate" if gated else "ffn_in"),
                       ("embed_tokens", "embed"), ("lm_head", "head"), ("norm", "norm")):
        if part in name:
            return role
    sys.exit(f"no role known for {name}")


def selects(selector, name, gated):
    selector, _, layers = selector.partition("@")
    layer = re.search(r"layers\.(\d+)\.", name)
    if layers:
        first, _, last = layers.partition("-")
        if not layer or not int(first) <= int(layer.group(1)) <= int(last or first):
            return False
    if "." in selector or "*" in selector:
        return fnmatch.fnmatchcase(name, selector)
    return selector == "all" or role_of(name, gated) in GROUPS.get(selector, {selector})


def route(names, resolved):
    chosen = {}
    for name in names:
        for line in resolved["assign"]:
            if any(selects(s, name, resolved["model"]["gated"]) for s in line["params"]):
                chosen[name] = line["optimizer"]
                break
        else:
            sys.exit(f"{name} is not assigned")
    return chosen


# ------------------------------------------------------------------------------------- optimizers

def multiplier(schedule, step, num_steps):
    warmup, kind = schedule.get("warmup", 0), schedule["kind"]
    if step < warmup:
        return step / warmup
    start = max(warmup, 1)
    if kind == "wsd":
        start = max(start, num_steps * (1 - schedule["decay_fraction"]))
    done = min(max((step - start) / (num_steps - start), 0.0), 1.0) if num_steps > start else 0.0
    final = schedule.get("final", 0.0)
    return {"constant": 1.0,
            "linear": 1 + (final - 1) * done,
            "wsd": 1 + (final - 1) * done,
            "cosine": final + (1 - final) * (1 + math.cos(math.pi * done)) / 2,
            "inverse_sqrt": math.sqrt(start / step)}[kind]


TRIPLES = {
    "keller": lambda steps: [(3.4445, -4.7750, 2.0315)] * (steps or 5),
    "you": lambda steps: [(4.0848, -6.8946, 2.9270), (3.9505, -6.3029, 2.6377), (3.7418, -5.5913, 2.3037),
                          (2.8769, -3.1427, 1.2046), (2.8366, -3.0525, 1.2012)],
    "exact": lambda steps: [(3.4445, -4.7750, 2.0315)] * 8 + [(2.0, -1.5, 0.5)] * 2,
}
SCALES = {"none": lambda r, c: 1.0, "sqrt(max(1,r/c))": lambda r, c: math.sqrt(max(1.0, r / c)),
          "0.2*sqrt(max(r,c))": lambda r, c: 0.2 * math.sqrt(max(r, c)), "sqrt(r/c)": lambda r, c: math.sqrt(r / c)}


class Muon(torch.optim.Optimizer):
    """Muon in the parameters' own number type (here fp32), one matrix at a time."""

    def __init__(self, parameters, settings):
        if settings["orthogonalizer"] not in TRIPLES or settings.get("per_head"):
            sys.exit("this script knows Muon with keller, you and exact, not per head")
        super().__init__(parameters, dict(lr=settings["lr"]))
        self.settings = settings

    @torch.no_grad()
    def step(self):
        s, mu = self.settings, self.settings["momentum"]
        for group in self.param_groups:
            for p in group["params"]:
                m = self.state[p].setdefault("momentum", torch.zeros_like(p))
                weight = 1 - mu if s["momentum_form"] == "average" else 1.0
                m.mul_(mu).add_(p.grad, alpha=weight)
                x = weight * p.grad + mu * m if s["nesterov"] else m.clone()
                x = x / x.norm().clamp_min(1e-30)
                x = x.T if p.shape[0] > p.shape[1] else x
                for a, b, c in TRIPLES[s["orthogonalizer"]](s.get("steps")):
                    gram = x @ x.T
                    x = a * x + (b * gram + c * gram @ gram) @ x
                x = x.T if p.shape[0] > p.shape[1] else x
                p.mul_(1 - group["lr"] * s["decay"]).add_(x, alpha=-group["lr"] * SCALES[s["scale"]](*p.shape))


def build_optimizers(model, resolved):
    """Pairs of optimizer and its settings, and the table of who got what."""
    parameters = dict(model.named_parameters())  # a tied head is not listed twice
    chosen, result = route(parameters, resolved), []
    for name, s in resolved["optimizers"].items():
        mine = [parameters[n] for n in parameters if chosen[n] == name]
        if not mine:
            continue
        if s["rule"] == "adamw":
            optimizer = torch.optim.AdamW(mine, lr=s["lr"], betas=tuple(s["betas"]), eps=s["eps"],
                                          weight_decay=s["decay"])
        elif s["rule"] == "muon":
            optimizer = Muon(mine, s)
        else:
            sys.exit(f"this script does not know the rule {s['rule']}")
        result.append((optimizer, s))
        print(f"  {name}: {s['rule']} on {len(mine)} parameters, {sum(p.numel() for p in mine):,} values")
    return result


# ------------------------------------------------------------------------------------------ a case

def train_torch(checkpoint, samples, resolved, steps):
    model, info = transformers.AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32,
                                                                    output_loading_info=True)
    problems = {k: v for k, v in info.items() if v}
    if problems:
        sys.exit(f"transformers does not load {checkpoint} cleanly: {problems}")
    model.train()
    print(f"  transformers {transformers.__version__} {type(model).__name__}, torch {torch.__version__}, "
          f"{sum(p.numel() for p in model.parameters()):,} parameters")
    optimizers = build_optimizers(model, resolved)
    batch, clip, losses = resolved["train"]["batch"], resolved["train"].get("clip", 0.0), []
    for step in range(1, steps + 1):
        ids = torch.tensor(samples[(step - 1) * batch:step * batch])
        logits = model(input_ids=ids[:, :-1]).logits
        loss = torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), ids[:, 1:].reshape(-1))
        loss.backward()
        if clip > 0:
            torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        for optimizer, s in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = s["lr"] * multiplier(s.get("schedule") or resolved["schedule"], step, steps)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
    return losses


def run_case(name, arguments, folder):
    config_path, init, run = folder / f"{name}.json", folder / f"{name}-init", folder / f"{name}-run"
    base = {"extends": str(arguments.config.resolve())} if arguments.config else SMALL
    config = {**base, **CASES[name], "precision": "fp32"}
    # null takes away another kind of length that CONFIG may give
    lengths = {"tokens": None, "epochs": None} if arguments.config else {}
    config["train"] = {**base.get("train", {}), **lengths, "steps": arguments.steps}
    config["eval"], config["checkpoint"] = {"every": 0}, {"every": 0}
    config_path.write_text(json.dumps(config, indent=2))
    run_muonlab(arguments.muonlab, "init", config_path, init)
    run_muonlab(arguments.muonlab, "train", config_path, "--run-dir", run)
    resolved = json.loads((run / "resolved.json").read_text())
    count = arguments.steps * resolved["train"]["batch"]
    lines = run_muonlab(arguments.muonlab, "data", "samples", config_path, "--from", 0, "--count", count)
    samples = [json.loads(line) for line in lines.splitlines()]
    if [s["sample"] for s in samples] != list(range(count)):
        sys.exit("data samples did not print the samples asked for")
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    muonlab = {r["step"]: r["loss"] for r in records if "loss" in r}
    if sorted(muonlab) != list(range(1, arguments.steps + 1)):
        sys.exit(f"metrics.jsonl has steps {sorted(muonlab)}")

    print(f"{name}:")
    torch.set_num_threads(resolved["threads"])
    theirs = train_torch(init, [s["tokens"] for s in samples], resolved, arguments.steps)
    print(f"  {'step':>4}  {'muonlab':>10}  {'torch':>10}  {'difference':>10}")
    worst = 0.0
    for step, loss in enumerate(theirs, 1):
        difference = muonlab[step] - loss
        # NaN must not pass.
        worst = max(worst, abs(difference)) if math.isfinite(difference) else math.inf
        print(f"  {step:4}  {muonlab[step]:10.6f}  {loss:10.6f}  {difference:10.1e}")
    passed = worst <= arguments.limit
    print(f"  largest difference {worst:.1e}, limit {arguments.limit:.0e}: {'equal' if passed else 'NOT EQUAL'}")
    return passed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=pathlib.Path, nargs="?", help="a configuration; default: a small one")
    parser.add_argument("--muonlab", type=pathlib.Path, default=pathlib.Path("build/release/muonlab"))
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--limit", type=float, default=2e-4)
    parser.add_argument("--case", action="append", choices=CASES, help="repeatable; default: adamw and muon")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="muonlab-parity-") as folder:
        results = [run_case(name, arguments, pathlib.Path(folder)) for name in arguments.case or ["adamw", "muon"]]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
