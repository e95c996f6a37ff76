"""The files of tests/golden: written, or compared with what is computed again. Used by the make_*_goldens scripts."""

import argparse
import json
import pathlib
import sys

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file


def difference(path, tensors, config, limit):
    """What is wrong with a committed file, or None. Floating-point values may differ by rounding between machines: by
    `limit` times the largest of a tensor, at least of 1."""
    if not path.exists():
        return "is missing"
    with safe_open(path, "np") as stored:
        stored_config = json.loads(stored.metadata()["config"])
        stored_config.pop("source")
        if stored_config != config:
            return "has another config"
        if set(stored.keys()) != set(tensors):
            return "has other tensors"
        for name, value in tensors.items():
            old = stored.get_tensor(name)
            if old.dtype != value.dtype or old.shape != value.shape:
                return f"{name} has another type or shape"
            allowed = limit if np.issubdtype(value.dtype, np.floating) else 0
            if np.abs(old.astype(np.float64) - value).max() > allowed * max(1.0, np.abs(value).max()):
                return f"{name} differs"
    return None


def write_or_check(cases, source, limit_of):
    """cases: name, numpy tensors by name, config; limit_of(name): the limit of its differences."""
    parser = argparse.ArgumentParser(description="write or check files of tests/golden")
    parser.add_argument("--out", type=pathlib.Path,
                        default=pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden")
    parser.add_argument("--only", default="", help="only the files whose names begin so")
    parser.add_argument("--check", action="store_true", help="compare with the files that are there; write nothing")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    count, bad, total = 0, 0, 0
    for name, tensors, config in cases:
        if not name.startswith(arguments.only):
            continue
        path = arguments.out / f"{name}.safetensors"
        tensors = {key: np.ascontiguousarray(value) for key, value in tensors.items()}
        if arguments.check:
            problem = difference(path, tensors, config, limit_of(name))
            if problem:
                bad += 1
                print(f"{path}: {problem}")
        else:
            save_file(tensors, path, metadata={"config": json.dumps({**config, "source": source})})
            path.chmod(0o644)
        count += 1
        total += path.stat().st_size if path.exists() else 0
    print(f"{count} files, {total / 1000:.0f} kB, {bad} bad")
    sys.exit(1 if bad else 0)
