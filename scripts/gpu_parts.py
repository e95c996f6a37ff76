#!/usr/bin/env python3
"""The parts of scripts/gpu_check that run muonlab and PyTorch on a GPU and compare them.

    python3 scripts/gpu_parts.py parity MUONLAB      20 steps on the CPU and on the GPU
    python3 scripts/gpu_parts.py resume MUONLAB      the same bytes run after run, after kill -9, and from the CPU
    python3 scripts/gpu_parts.py attention           cuDNN's attention against flash attention: time, and equal bits
    python3 scripts/gpu_parts.py speed MUONLAB       tokens per second beside compiled PyTorch, and memory beside its estimate
    python3 scripts/gpu_parts.py ablation MUONLAB TEXT OUT
                                                     the rows of the paper's claims in configs/paper/small_gated.json, both
                                                     protocols, 3 seeds, on the shards in TEXT; the sweep is kept in OUT
    python3 scripts/gpu_parts.py size MUONLAB TEXT OUT
                                                     configs/paper/14m_gated.json and 14m_apart.json at 2,000 steps with 3 seeds

Lines that begin with PASS, FAIL or result are the summary. The exit code is 1 if a line begins with FAIL.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent
failed = False


def verdict(good, text):
    global failed
    failed = failed or not good
    print("PASS" if good else "FAIL", text, flush=True)


def config(**changes):
    base = {
        "name": "gpu", "device": "cuda", "threads": 4,
        "data": {"kind": "biographies", "m": 6, "tokenizer": {"kind": "byte"}},
        "model": {"layers": 3, "width": 128, "heads": 4, "context": 128},
        "optimizers": {"muon": {"rule": "muon", "lr": 0.02}, "adam": {"rule": "adamw", "lr": 0.003}},
        "assign": [{"params": ["vo", "ffn"], "optimizer": "muon"}, {"params": ["all"], "optimizer": "adam"}],
        "train": {"steps": 20, "batch": 16, "micro_batch": 8, "clip": 1.0},
        "eval": {"every": 10, "samples": 16},
        "checkpoint": {"every": 10},
    }
    for path, value in changes.items():
        *groups, key = path.split("__")
        place = base
        for group in groups:
            place = place[group]
        place[key] = value
    return base


class Runs:
    """Runs in one temporary folder."""

    def __init__(self, program, folder):
        self.program, self.folder = str(pathlib.Path(program).resolve()), pathlib.Path(folder)

    def command(self, name, settings, extra=()):
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps(settings))
        return [self.program, "train", str(path), "--run-dir", str(self.folder / name), *extra]

    def train(self, name, settings, extra=()):
        done = subprocess.run(self.command(name, settings, extra), capture_output=True, text=True)
        if done.returncode != 0:
            print(done.stdout[-3000:], done.stderr[-3000:])
            verdict(False, f"{name}: muonlab train ended with {done.returncode}")
        return done.returncode == 0

    def lines(self, name):
        path = self.folder / name / "metrics.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def losses(self, name):
        return [line["loss"] for line in self.lines(name) if "loss" in line]

    def bytes_of(self, name, step):
        checkpoint = self.folder / name / "checkpoints" / f"step-{step:08d}"
        files = [checkpoint / "model.safetensors", checkpoint / "optimizer.safetensors", self.folder / name / "metrics.jsonl"]
        return [file.read_bytes() if file.exists() else None for file in files]


def parity(program):
    cases = [("fp32", 2e-4, {}), ("fp32, no graphs", 2e-4, {"train__graph": "off"}),
             ("fp32, QK-norm, tied, plain ReLU2", 2e-4,
              {"model__qk_norm": "gain", "model__tied": True, "model__gated": False, "model__activation": "relu2"}),
             ("bf16", 2e-2, {"precision": "bf16"})]
    with tempfile.TemporaryDirectory() as folder:
        runs = Runs(program, folder)
        for i, (what, tolerance, changes) in enumerate(cases):
            here = config(**{k: v for k, v in changes.items() if k != "train__graph"}, device="cpu")
            if not (runs.train(f"gpu{i}", config(**changes)) and runs.train(f"cpu{i}", here)):
                continue
            gpu, cpu = runs.losses(f"gpu{i}"), runs.losses(f"cpu{i}")
            largest = max(abs(a - b) for a, b in zip(gpu, cpu))
            verdict(len(gpu) == len(cpu) == 20 and largest <= tolerance,
                    f"20 steps, {what}: largest difference of a loss from the CPU's {largest:.1e} (allowed {tolerance:.0e})")
            print("gpu", gpu, "\ncpu", cpu)


def resume(program):
    settings = config(train__steps=60, eval__every=20)
    with tempfile.TemporaryDirectory() as folder:
        runs = Runs(program, folder)
        if not runs.train("straight", settings):
            return
        straight = runs.bytes_of("straight", 60)
        if runs.train("again", settings):
            verdict(straight == runs.bytes_of("again", 60), "two runs on this card give the same bytes")
        process = subprocess.Popen(runs.command("killed", settings), stdout=subprocess.DEVNULL)
        while process.poll() is None and len(runs.losses("killed")) < 25:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        print("killed after", len(runs.losses("killed")), "of 60 steps")
        if runs.train("killed", settings):
            verdict(straight == runs.bytes_of("killed", 60), "kill -9 and resume give the straight run's bytes")
        for first, second in (("cpu", "cuda"), ("cuda", "cpu")):
            name = f"{first}-{second}"
            if runs.train(name, config(train__steps=20, device=first)):
                if runs.train(name, config(train__steps=24, device=second), ["--allow-change"]):
                    verdict(len(runs.losses(name)) == 24, f"a checkpoint of {first} resumes on {second}")


def attention():
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    for b, h, t, d in ((32, 12, 1024, 64), (64, 6, 1024, 128)):
        for name, backend in (("cudnn", SDPBackend.CUDNN_ATTENTION), ("flash", SDPBackend.FLASH_ATTENTION)):
            q, k, v = (torch.randn(b, t, h, d, device="cuda", dtype=torch.bfloat16).transpose(1, 2).requires_grad_() for _ in range(3))
            with sdpa_kernel(backend):
                def step():
                    y = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
                    y.backward(torch.ones_like(y))
                for _ in range(5):
                    step()
                torch.cuda.synchronize()
                begun = time.perf_counter()
                for _ in range(20):
                    step()
                torch.cuda.synchronize()
                spent = time.perf_counter() - begun
                torch.use_deterministic_algorithms(True)
                bits = []
                for _ in range(4):
                    q.grad = k.grad = v.grad = None
                    step()
                    bits.append([x.grad.clone() for x in (q, k, v)])
                torch.use_deterministic_algorithms(False)
                same = all(torch.equal(a, b) for other in bits[1:] for a, b in zip(bits[0], other))
            print(f"result attention {name} batch {b}, {h} heads of {d}: {spent / 20 * 1e3:.2f} ms forward and backward; "
                  f"deterministic mode {'gives' if same else 'does not give'} the same bits each time")


SHAPES = {
    "124M": dict(layers=12, width=768, heads=12, ffn_width=2048, vocabulary=50304, context=1024, batch=32, accumulate=16, steps=5),
    "14M": dict(layers=6, width=384, heads=6, ffn_width=1024, vocabulary=4096, context=256, batch=8, accumulate=1, steps=30),
    "small": dict(layers=4, width=128, heads=4, ffn_width=352, vocabulary=2048, context=128, batch=16, accumulate=1, steps=50),
}


def last_object(text):
    lines = [line for line in text.splitlines() if line.startswith("{")]
    return json.loads(lines[-1]) if lines else None


def speed(program):
    for name, shape in SHAPES.items():
        settings = config(
            precision="bf16",
            model={k: shape[k] for k in ("layers", "width", "heads", "ffn_width", "vocabulary", "context")},
            train={"steps": 1000, "batch": shape["batch"] * shape["accumulate"], "micro_batch": shape["batch"],
                   **({"reduction": "fast"} if shape["accumulate"] > 1 else {})},
            checkpoint={"every": 0})
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "bench.json"
            path.write_text(json.dumps(settings))
            command = [program, "bench", str(path), "--json", "--steps", str(shape["steps"])]
            ours = subprocess.run(command, capture_output=True, text=True)
            by_cudnn = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "MUONLAB_ATTENTION": "cudnn"})
        mine = last_object(ours.stdout)
        with_cudnn = last_object(by_cudnn.stdout)
        if with_cudnn:
            print(f"result {name}: muonlab with cuDNN's attention {with_cudnn['tokens_per_s']:,.0f} tokens/s")
        if ours.returncode != 0 or not mine:
            print(ours.stdout[-2000:], ours.stderr[-3000:])
            verdict(False, f"{name}: muonlab bench ended with {ours.returncode}")
            continue
        used, estimate = mine["gpu_used_mb"], mine["memory_estimate_mb"]
        print(f"result {name}: muonlab {mine['tokens_per_s']:,.0f} tokens/s, {used:,.0f} MB on the card", flush=True)
        verdict(abs(estimate - used) <= 0.1 * used, f"{name}: the memory estimate, {estimate:,.0f} MB, is within 10 % of {used:,.0f} MB")
        options = [f"--{key.replace('_', '-')}={value}" for key, value in shape.items()]
        modes = ["default"] if name == "124M" else ["reduce-overhead"]
        for mode in modes:
            theirs = subprocess.run([sys.executable, str(HERE / "bench_pytorch.py"), "--device=cuda", "--compile",
                                     f"--compile-mode={mode}", *options], capture_output=True, text=True)
            other = last_object(theirs.stdout)
            if not other:
                print(theirs.stdout[-1000:], theirs.stderr[-2000:])
                print(f"result {name}: compiled PyTorch ({mode}) gave no figure")
                continue
            print(f"result {name}: compiled PyTorch ({mode}) {other['tokens_per_s']:,.0f} tokens/s, {other['gpu_peak_mb']:,.0f} MB; "
                  f"muonlab is {mine['tokens_per_s'] / other['tokens_per_s']:.2f} times as fast", flush=True)


CLAIM_ROWS = ["adam", "all", "vo_ffn", "vo", "ffn", "qk"]


def read_sweep(name, text):
    """A sweep of configs/paper, moved to the card and to the shards in `text`."""
    configs = HERE.resolve().parent / "configs" / "paper"
    lines = (configs / f"{name}.json").read_text().splitlines()
    sweep = json.loads("\n".join(line for line in lines if not line.lstrip().startswith("//")))
    sweep["base"] = str(configs / sweep["base"])
    sweep["settings"].update({"device": "cuda", "train.micro_batch": 32, "data.train": [str(text / "train")],
                              "data.valid": [str(text / "valid")]})
    return sweep


def run_sweep(program, sweep, folder, name, limit):
    """Trains for at most `limit`; called again with the same folder it continues."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(sweep, indent=1))
    jobs = max(1, min(8, len(os.sched_getaffinity(0)) // 2))
    begun = time.perf_counter()
    done = subprocess.run([program, "sweep", str(path), "--out", str(folder / name), "--jobs", str(jobs), "--max-time", limit],
                          capture_output=True, text=True)
    print(done.stdout, done.stderr)
    verdict(done.returncode == 0, f"the sweep {name}: {time.perf_counter() - begun:.0f} s, {jobs} runs at once"
            + ("" if done.returncode == 0 else f"; it ended with {done.returncode}"))
    for line in done.stdout.splitlines()[-40:]:
        print("result", line)


def ablation(program, text, out):
    folder, text = pathlib.Path(out).resolve(), pathlib.Path(text).resolve()
    sweep = read_sweep("small_gated", text)
    sweep["axes"]["row"] = {row: sweep["axes"]["row"][row] for row in CLAIM_ROWS}
    for part in ("paper", "labels"):
        sweep[part] = {row: value for row, value in sweep[part].items() if row in CLAIM_ROWS}
    run_sweep(program, sweep, folder, "claims", "8min")


def size(program, text, out):
    """Twice the steps and one seed more than the sweeps have on a processor; the searches keep their shares of the length."""
    folder, text = pathlib.Path(out).resolve(), pathlib.Path(text).resolve()
    for name, limit in (("14m_gated", "3min"), ("14m_apart", "5min")):
        sweep = read_sweep(name, text)
        sweep["settings"].update({"train.steps": 2000, "eval.every": 200, "checkpoint.every": 1000})
        sweep["seeds"] = [1, 2, 3]
        for stage in sweep["tune"]:
            stage["rungs"] = [2 * steps for steps in stage["rungs"]]
        run_sweep(program, sweep, folder, name, limit)


PARTS = {"parity": parity, "resume": resume, "attention": attention, "speed": speed, "ablation": ablation, "size": size}

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in PARTS:
        sys.exit(__doc__)
    PARTS[sys.argv[1]](*sys.argv[2:])
    sys.exit(failed)
