#!/usr/bin/env python3
"""Write one line a finished run of a report.json: block, row, seed, validation losses by step, first-token accuracy by frequency group
and step, entropy of the weights by role at the last step. Makes docs/results/*.csv.

  muonlab report runs/paper_tiny_gated --out /tmp/report
  scripts/results_csv.py /tmp/report/report.json > docs/results/paper_tiny_gated.csv
"""
import csv
import json
import sys


def entropies(run):
    return {s["role"]: s["value"][-1] for s in run.get("spectra", []) if (s["of"], s["measure"]) == ("weight", "entropy")}


def losses(run):
    return {f"loss@{v['step']}": f"{v['loss']:.5f}" for v in run["validations"] if v["step"] > 0}


def accuracies(run):
    return {
        f"group{group}@{step}": f"{share:.4f}"
        for group, trace in sorted(run.get("groups", {}).items(), key=lambda item: int(item[0]))
        for step, share in zip(trace["step"], trace["first_token_accuracy"])
        if step > 0
    }


def line(run):
    spectra = {f"entropy_{role}": f"{value:.4f}" for role, value in sorted(entropies(run).items())}
    return {"block": run["block"], "row": run["row"], "seed": run["seed"]} | losses(run) | accuracies(run) | spectra


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with open(sys.argv[1]) as file:
        lines = [line(run) for run in json.load(file)["runs"] if run["finished"]]
    fields = list(dict.fromkeys(field for entry in lines for field in entry))
    writer = csv.DictWriter(sys.stdout, fields, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)


main()
