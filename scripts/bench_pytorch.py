#!/usr/bin/env python3
"""PyTorch's speed on the same model as `muonlab bench`: a plain LLaMA, as fast as eager (or compiled) PyTorch goes.

    python scripts/bench_pytorch.py [--precision bf16|fp32] [--compile] [--optimizer muon|adamw] [shape options]
    python scripts/bench_pytorch.py --pair --muonlab build/release/muonlab [--rounds 5] [shape options]

Muon (torch.optim.Muon: 5 steps of Keller's coefficients in bf16) holds V, O and the feed-forward matrices, fused
AdamW the rest. One JSON object on standard output: median forward, backward and optimizer milliseconds, tokens per
second, and the peak resident memory (VmHWM, 10^6 bytes) of the process, which does nothing else; import_rss_mb is
what `import torch` alone had taken of it.

--pair alternates runs of both programs, so that both see the same minutes of the machine, and prints the ratio of
the medians. The shape goes to muonlab as a configuration file and `bench CONFIG --json`, or write the command
yourself: --muonlab-args "bench --json".
"""

import argparse
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shape = parser.add_argument_group("shape (default: 13.8 M parameters)")
    shape.add_argument("--layers", type=int, default=6)
    shape.add_argument("--width", type=int, default=384)
    shape.add_argument("--heads", type=int, default=6)
    shape.add_argument("--kv-heads", type=int, help="default: heads")
    shape.add_argument("--head-dim", type=int, help="default: width / heads")
    shape.add_argument("--ffn-width", type=int, default=1024)
    shape.add_argument("--vocabulary", type=int, default=4096)
    shape.add_argument("--batch", type=int, default=8, help="sequences a step")
    shape.add_argument("--context", type=int, default=256, help="tokens a sequence")
    parser.add_argument("--precision", choices=["bf16", "fp32"], default="bf16")
    parser.add_argument("--optimizer", choices=["muon", "adamw"], default="muon")
    parser.add_argument("--compile", action="store_true", help="torch.compile the loss")
    parser.add_argument("--compile-mode", default="default", help="torch.compile's mode")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--accumulate", type=int, default=1, help="batches whose gradients are summed before an update")
    parser.add_argument("--threads", type=int, help="default: the processors this process may use")
    parser.add_argument("--warmup", type=int, default=3, help="steps not counted")
    parser.add_argument("--steps", type=int, default=12, help="steps counted")
    pair = parser.add_argument_group("side by side")
    pair.add_argument("--pair", action="store_true", help="alternate with muonlab")
    pair.add_argument("--muonlab", type=pathlib.Path, help="the muonlab program")
    pair.add_argument("--muonlab-args", help="its arguments, instead of a configuration of this shape")
    pair.add_argument("--rounds", type=int, default=5, help="runs of each program")
    arguments = parser.parse_args()
    arguments.kv_heads = arguments.kv_heads or arguments.heads
    arguments.head_dim = arguments.head_dim or arguments.width // arguments.heads
    arguments.threads = arguments.threads or len(os.sched_getaffinity(0))
    if arguments.pair and not arguments.muonlab:
        parser.error("--pair needs --muonlab PROGRAM")
    return arguments


def peak_rss_mb():
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024 / 1e6


# ------------------------------------------------------------------------------------- the model

def build_llama(shape):
    import torch
    from torch import nn
    import torch.nn.functional as F

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            inner, kv = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
            self.q_proj = nn.Linear(shape.width, inner, bias=False)
            self.k_proj = nn.Linear(shape.width, kv, bias=False)
            self.v_proj = nn.Linear(shape.width, kv, bias=False)
            self.o_proj = nn.Linear(inner, shape.width, bias=False)

        def forward(self, x, cos, sin):
            b, t, _ = x.shape
            split = lambda y, heads: y.view(b, t, heads, shape.head_dim).transpose(1, 2)
            q, k = split(self.q_proj(x), shape.heads), split(self.k_proj(x), shape.kv_heads)
            v = split(self.v_proj(x), shape.kv_heads)
            y = F.scaled_dot_product_attention(rotate(q, cos, sin), rotate(k, cos, sin), v, is_causal=True,
                                               enable_gqa=shape.kv_heads != shape.heads)
            return self.o_proj(y.transpose(1, 2).reshape(b, t, -1))

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention_norm = nn.Parameter(torch.ones(shape.width))
            self.ffn_norm = nn.Parameter(torch.ones(shape.width))
            self.attention = Attention()
            self.gate_proj = nn.Linear(shape.width, shape.ffn_width, bias=False)
            self.up_proj = nn.Linear(shape.width, shape.ffn_width, bias=False)
            self.down_proj = nn.Linear(shape.ffn_width, shape.width, bias=False)

        def forward(self, x, cos, sin):
            x = x + self.attention(F.rms_norm(x, (shape.width,), self.attention_norm, 1e-5), cos, sin)
            h = F.rms_norm(x, (shape.width,), self.ffn_norm, 1e-5)
            return x + self.down_proj(F.silu(self.gate_proj(h)) * self.up_proj(h))

    class Llama(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(shape.vocabulary, shape.width)
            self.blocks = nn.ModuleList(Block() for _ in range(shape.layers))
            self.norm = nn.Parameter(torch.ones(shape.width))
            self.head = nn.Linear(shape.width, shape.vocabulary, bias=False)
            frequency = 10000.0 ** (-torch.arange(0, shape.head_dim, 2) / shape.head_dim)
            angle = torch.outer(torch.arange(shape.context), frequency).repeat(1, 2)
            dtype = torch.bfloat16 if shape.precision == "bf16" else torch.float32
            self.register_buffer("cos", angle.cos().to(dtype), persistent=False)
            self.register_buffer("sin", angle.sin().to(dtype), persistent=False)
            for p in self.parameters():
                if p.ndim == 2:
                    nn.init.normal_(p, std=0.02)

        def forward(self, tokens, targets):
            x = self.embed(tokens)
            for block in self.blocks:
                x = block(x, self.cos, self.sin)
            logits = self.head(F.rms_norm(x, (shape.width,), self.norm, 1e-5))
            return F.cross_entropy(logits.view(-1, shape.vocabulary), targets.view(-1))

    def rotate(x, cos, sin):
        left, right = x.chunk(2, dim=-1)
        return x * cos + torch.cat((-right, left), dim=-1) * sin

    return Llama()


def build_optimizers(model, name):
    import torch
    muon_names = ("v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    chosen = [p for n, p in model.named_parameters() if name == "muon" and any(m in n for m in muon_names)]
    rest = [p for p in model.parameters() if not any(p is q for q in chosen)]
    optimizers = [torch.optim.AdamW(rest, lr=1e-3, betas=(0.8, 0.95), weight_decay=0.0, fused=True)]
    if chosen:
        optimizers.append(torch.optim.Muon(chosen, lr=0.01, momentum=0.95, nesterov=False, weight_decay=0.0))
    return optimizers


def bench(shape):
    import torch
    import_rss_mb = peak_rss_mb()
    torch.set_num_threads(shape.threads)
    torch.manual_seed(1)
    model = build_llama(shape).to(shape.device)
    loss_of = torch.compile(model, mode=shape.compile_mode) if shape.compile else model
    wait = torch.cuda.synchronize if shape.device == "cuda" else lambda: None
    optimizers = build_optimizers(model, shape.optimizer)
    autocast = torch.autocast(shape.device, dtype=torch.bfloat16, enabled=shape.precision == "bf16")
    times, losses = {"forward_ms": [], "backward_ms": [], "optimizer_ms": [], "step_ms": []}, []
    for step in range(shape.warmup + shape.steps):
        windows = [torch.randint(shape.vocabulary, (shape.batch, shape.context + 1), device=shape.device)
                   for _ in range(shape.accumulate)]
        wait()
        start = time.perf_counter()
        forward_s = 0.0
        for window in windows:
            begun = time.perf_counter()
            with autocast:
                loss = loss_of(window[:, :-1], window[:, 1:].contiguous())
            forward_s += time.perf_counter() - begun
            (loss / shape.accumulate).backward()
        backward = time.perf_counter()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        wait()
        end = time.perf_counter()
        forward = start + forward_s
        losses.append(loss.item())
        if step >= shape.warmup:
            times["forward_ms"].append(1e3 * (forward - start))
            times["backward_ms"].append(1e3 * (backward - forward))
            times["optimizer_ms"].append(1e3 * (end - backward))
            times["step_ms"].append(1e3 * (end - start))
    if not all(math.isfinite(x) for x in losses):
        sys.exit("a loss is not finite")
    medians = {k: round(statistics.median(v), 2) for k, v in times.items()}
    return {
        "program": f"torch {torch.__version__} {'compiled' if shape.compile else 'eager'}",
        "precision": shape.precision, "optimizer": shape.optimizer, "threads": shape.threads,
        "parameters": sum(p.numel() for p in model.parameters()),
        **medians,
        "tokens_per_s": round(shape.batch * shape.accumulate * shape.context / medians["step_ms"] * 1e3, 1),
        **({"gpu_peak_mb": round(torch.cuda.max_memory_allocated() / 1e6, 1)} if shape.device == "cuda" else {}),
        "peak_rss_mb": round(peak_rss_mb(), 1), "import_rss_mb": round(import_rss_mb, 1),
    }


# ------------------------------------------------------------------------------------ side by side

def muonlab_config(shape):
    optimizers = {"adam": {"rule": "adamw", "lr": 1e-3, "betas": [0.8, 0.95]}}
    assign = [{"params": ["all"], "optimizer": "adam"}]
    if shape.optimizer == "muon":
        optimizers["muon"] = {"rule": "muon", "lr": 0.01}
        assign.insert(0, {"params": ["vo", "ffn"], "optimizer": "muon"})
    return {
        "threads": shape.threads, "precision": shape.precision,
        "model": {"layers": shape.layers, "width": shape.width, "heads": shape.heads, "kv_heads": shape.kv_heads,
                  "head_dim": shape.head_dim, "ffn_width": shape.ffn_width, "vocabulary": shape.vocabulary,
                  "context": shape.context},
        "optimizers": optimizers, "assign": assign,
        "device": shape.device,
        "train": {"steps": 100, "batch": shape.batch * shape.accumulate, "micro_batch": shape.batch},
    }


def last_json(text):
    """The last JSON object of a program's output, whether on one line or on several."""
    decoder, found = json.JSONDecoder(), None
    position = text.find("{")
    while position >= 0:
        try:
            value, end = decoder.raw_decode(text, position)
            found = value if isinstance(value, dict) else found
        except json.JSONDecodeError:
            end = position + 1
        position = text.find("{", end)
    return found


def run_json(command):
    done = subprocess.run(command, capture_output=True, text=True)
    result = last_json(done.stdout)
    if done.returncode != 0 or result is None:
        sys.exit(f"{' '.join(command)} failed ({done.returncode}):\n{done.stdout}{done.stderr}")
    return result


def run_pair(shape):
    own_arguments = [a for i, a in enumerate(sys.argv[1:]) if a != "--pair"
                     and not a.startswith(("--muonlab", "--rounds"))
                     and not (i > 0 and sys.argv[i] in ("--muonlab", "--muonlab-args", "--rounds"))]
    torch_command = [sys.executable, __file__, *own_arguments]
    with tempfile.TemporaryDirectory() as folder:
        if shape.muonlab_args:
            muonlab_command = [str(shape.muonlab), *shape.muonlab_args.split()]
        else:
            config = pathlib.Path(folder) / "bench.json"
            config.write_text(json.dumps(muonlab_config(shape), indent=2))
            muonlab_command = [str(shape.muonlab), "bench", str(config), "--json"]
        runs = {"muonlab": [], "torch": []}
        for i in range(shape.rounds):
            runs["muonlab"].append(run_json(muonlab_command))
            runs["torch"].append(run_json(torch_command))
            print(f"round {i + 1}/{shape.rounds}  muonlab {runs['muonlab'][-1]['tokens_per_s']:.0f} tok/s  "
                  f"torch {runs['torch'][-1]['tokens_per_s']:.0f} tok/s", file=sys.stderr)
    keys = ["tokens_per_s", "forward_ms", "backward_ms", "optimizer_ms", "peak_rss_mb"]
    median = {who: {k: round(statistics.median(r[k] for r in runs[who]), 2) for k in keys} for who in runs}
    ratio = {k: round(median["muonlab"][k] / median["torch"][k], 3) for k in keys}
    spread = {who: [min(r["tokens_per_s"] for r in runs[who]), max(r["tokens_per_s"] for r in runs[who])]
              for who in runs}
    print(f"{'median of ' + str(shape.rounds):16}{'muonlab':>10}{'torch':>10}{'ratio':>8}", file=sys.stderr)
    for k in keys:
        print(f"{k:16}{median['muonlab'][k]:10.1f}{median['torch'][k]:10.1f}{ratio[k]:8.2f}", file=sys.stderr)
    return {"torch": runs["torch"][0]["program"], "precision": shape.precision, "rounds": shape.rounds,
            "median": median, "ratio": ratio, "tokens_per_s_range": spread}


def main():
    arguments = parse_arguments()
    print(json.dumps(run_pair(arguments) if arguments.pair else bench(arguments)))


if __name__ == "__main__":
    main()
