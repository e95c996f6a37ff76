#!/usr/bin/env python3
"""Draws validation losses of runs as an SVG for docs/.

    python scripts/plot_losses.py --out docs/losses.svg "Adam=runs/adam" "Muon on V, O, FFN=runs/vo_ffn"
"""
import argparse
import json
from pathlib import Path

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "muonlab"  # the same runs give the same file
import matplotlib.pyplot as plt  # noqa: E402


def validations(run: Path) -> list[tuple[int, float]]:
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return [(line["step"], line["val_loss"]) for line in lines if "val_loss" in line]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="LABEL=RUN")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--from-step", type=int, default=50, help="leave earlier validations out")
    options = parser.parse_args()
    figure, axes = plt.subplots(figsize=(7.5, 4.5))
    for named in options.runs:
        label, _, run = named.rpartition("=")
        points = [p for p in validations(Path(run)) if p[0] >= options.from_step]
        axes.plot(*zip(*points), marker="o", markersize=3, label=f"{label}  {points[-1][1]:.3f}")
    axes.set_xlabel("step")
    axes.set_ylabel("validation loss, nats a token")
    axes.grid(alpha=0.3)
    axes.legend(title="last value at the end of each line")
    figure.tight_layout()
    figure.savefig(options.out, metadata={"Date": None})


if __name__ == "__main__":
    main()
