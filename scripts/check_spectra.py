#!/usr/bin/env python3
"""Compares the spectra that muonlab writes with NumPy in double.

    python scripts/check_spectra.py RUN            a run with probes.spectra: every line on weights of its spectra.jsonl
                                                   whose step a checkpoint holds, computed again from model.safetensors,
                                                   heads and products O V included
    python scripts/check_spectra.py --golden FILE  writes the matrices and measures that tests/train/spectrum_test.cpp reads

Fails where a measure differs by more than 1e-6 of its value. Needs NumPy alone.
"""

import argparse
import json
import math
import pathlib
import struct
import sys

import numpy as np

MEASURES = ["entropy", "effective_rank", "effective_rank_plain", "top10_energy", "q75_q25", "stable_rank", "nuclear_rank",
            "condition", "rms"]
LIMIT = 1e-6


def measures(matrix, rank=None):
    """Of a matrix with `rank` singular values that are not zero (default: all), by the formulas of docs/numerics.md."""
    matrix = np.asarray(matrix, dtype=np.float64)
    s = np.linalg.svd(matrix, compute_uv=False)[:rank]
    energies, shares = s**2 / np.sum(s**2), s / np.sum(s)
    entropy = -np.sum(energies * np.log(energies))
    return {
        "entropy": entropy / np.log(len(s)),
        "effective_rank": np.exp(entropy),
        "effective_rank_plain": np.exp(-np.sum(shares * np.log(shares))),
        "top10_energy": np.sum(energies[:10]),
        "q75_q25": np.percentile(s**2, 75) / np.percentile(s**2, 25),
        "stable_rank": np.sum(s**2) / s[0] ** 2,
        "nuclear_rank": np.sum(s) ** 2 / np.sum(s**2),
        "condition": s[0] / s[-1],
        "rms": np.sqrt(np.mean(matrix**2)),
    }


def read_safetensors(path):
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    tensors = {}
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if name == "__metadata__":
            continue
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        dtype = {"F32": "<f4", "F64": "<f8"}[entry["dtype"]]
        tensors[name] = np.frombuffer(data[begin:end], dtype).reshape(entry["shape"])
    return tensors


def write_safetensors(path, tensors):
    header, blob = {}, b""
    for name, value in tensors.items():
        raw = value.tobytes()
        header[name] = {"dtype": {"float32": "F32", "float64": "F64"}[str(value.dtype)], "shape": list(value.shape),
                        "data_offsets": [len(blob), len(blob) + len(raw)]}
        blob += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + blob)


def write_golden(path):
    random = np.random.default_rng(1)
    matrices = {
        "square": random.normal(size=(24, 24)),
        "wide": random.normal(size=(6, 50)) * 1e-3,
        "tall": random.normal(size=(40, 12)) @ np.diag(10.0 ** -np.linspace(0, 4, 12)),
        "near_rank_one": np.outer(random.normal(size=16), random.normal(size=30)) + 1e-4 * random.normal(size=(16, 30)),
    }
    tensors = {}
    for name, matrix in matrices.items():
        tensors["matrix." + name] = matrix.astype(np.float32)
        tensors["expected." + name] = np.array([measures(tensors["matrix." + name])[key] for key in MEASURES])
    write_safetensors(path, tensors)


def expected_measures(line, weights, model):
    dim, group = model["head_dim"], model["heads"] // model["kv_heads"]
    head = line.get("head")
    part = slice(None) if head is None else slice(head * dim, (head + 1) * dim)
    if line["role"] == "ov":
        prefix = line["name"].removesuffix("ov")
        o, v = (weights[prefix + name].astype(np.float64) for name in ("o_proj.weight", "v_proj.weight"))
        key = head // group
        return measures(o[:, part] @ v[key * dim : (key + 1) * dim], dim)
    matrix = weights[line["name"]]
    return measures(matrix[:, part] if line["role"] == "o" else matrix[part])


def check_run(run):
    model = json.loads((run / "resolved.json").read_text())["model"]
    checkpoints = {}
    for path in (run / "checkpoints").glob("step-*"):
        checkpoints[int(path.name[5:])] = read_safetensors(path / "model.safetensors")
    compared, worst = 0, (0.0, "")
    for text in (run / "spectra.jsonl").read_text().splitlines():
        line = json.loads(text)
        if line["step"] not in checkpoints or line["of"] != "weight":
            continue
        expected = expected_measures(line, checkpoints[line["step"]], model)
        for key in MEASURES:
            error = abs(line[key] - expected[key]) / abs(expected[key]) if line[key] is not None else math.inf
            worst = max(worst, (error, f"{key} of {line['name']} at step {line['step']}"))
        compared += 1
    print(f"{run}: {compared} matrices; largest relative difference {worst[0]:.1e} ({worst[1]})")
    return compared > 0 and worst[0] <= LIMIT


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=pathlib.Path, nargs="*")
    parser.add_argument("--golden", type=pathlib.Path)
    arguments = parser.parse_args()
    if arguments.golden:
        write_golden(arguments.golden)
    return 0 if all([check_run(run) for run in arguments.run]) else 1


if __name__ == "__main__":
    sys.exit(main())
