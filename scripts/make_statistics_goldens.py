#!/usr/bin/env python3
"""Writes tests/golden/statistics.txt: values that scipy, or a definition written out, gives for base/statistics,
base/distributions, base/ratio and the study floor's tables.

    python scripts/make_statistics_goldens.py [--out tests/golden/statistics.txt]

Needs numpy and scipy (versions in scripts/requirements-peer.txt); muonlab itself needs no Python. The same versions
write the same file. Each line is a name and numbers; ratio intervals are found by other means than muonlab's:
  fieller   by searching the ratios r at which scipy's one-sample t-test of top - r bottom gives p = 1 - level
  exact     the BCa interval from all multisets of 8 pairs with their multinomial weights, instead of random resamples
  scipy     the BCa interval of scipy.stats.bootstrap at the widened level, with many resamples
"""

import argparse
import itertools
import math
import pathlib

import numpy as np
from scipy import optimize, stats

LEVEL = 0.95


def t_cases():
    rows = []
    for df in (1, 2, 3, 4.5, 7, 15, 30, 200, 1000):
        for t in (-40.0, -3.0, -0.7, 0.0, 1e-3, 0.5, 2.3, 9.0, 120.0):
            rows.append((t, df, stats.t.cdf(t, df), 2 * stats.t.sf(abs(t), df)))
    return rows


def quantile_cases():
    ps = (1e-10, 1e-4, 0.025, 0.3, 0.5, 0.8, 0.975, 0.9995)
    return [(p, df, stats.t.ppf(p, df)) for df in (1, 2, 3, 7, 11.5, 31, 1000) for p in ps]


def fieller(top, bottom):
    """Walks outwards from the ratio to where the t-test refuses it; None where the bottom's interval holds 0."""
    n = len(top)
    if abs(bottom.mean()) <= stats.t.ppf(0.5 + LEVEL / 2, n - 1) * stats.sem(bottom):
        return None
    centre = top.mean() / bottom.mean()

    def surplus(r):
        return stats.ttest_1samp(top - r * bottom, 0.0).pvalue - (1 - LEVEL)

    ends = []
    for sign in (-1, 1):
        step = 1e-3
        while surplus(centre + sign * step) > 0:
            step *= 1.5
        ends.append(optimize.brentq(surplus, centre, centre + sign * step, xtol=1e-14, rtol=1e-14))
    return sorted(ends)


def widened_z(n):
    """Hesterberg, The American Statistician 69, 2015: the expanded percentile."""
    return stats.t.ppf(0.5 + LEVEL / 2, n - 1) * math.sqrt(n / (n - 1))


def exact_bca(top, bottom):
    n = len(top)
    values, weights = [], []
    for drawn in itertools.combinations_with_replacement(range(n), n):
        counts = np.bincount(drawn, minlength=n)
        values.append((counts @ top) / (counts @ bottom))
        weights.append(math.factorial(n) / math.prod(math.factorial(int(c)) for c in counts) / n**n)
    order = np.argsort(values)
    values, weights = np.array(values)[order], np.array(weights)[order]
    cumulative = np.cumsum(weights) - weights / 2
    estimate = top.mean() / bottom.mean()
    bias = stats.norm.ppf(np.interp(estimate, values, cumulative))
    left = np.array([np.delete(top, i).mean() / np.delete(bottom, i).mean() for i in range(n)])
    skew = stats.skew(left.mean() - left) / (6 * math.sqrt(n))
    ends = []
    for z in (-widened_z(n), widened_z(n)):
        p = stats.norm.cdf(bias + (bias + z) / (1 - skew * (bias + z)))
        ends.append(np.interp(p, cumulative, values))
    return ends


def scipy_bca(top, bottom):
    level = 1 - 2 * stats.norm.sf(widened_z(len(top)))
    found = stats.bootstrap((top, bottom), lambda x, y, axis: x.mean(axis) / y.mean(axis), paired=True,
                            vectorized=True, n_resamples=200_000, batch=20_000, method="BCa", confidence_level=level,
                            rng=np.random.default_rng(1))
    return [found.confidence_interval.low, found.confidence_interval.high]


def holm(p_values):
    """Adjusted p of i: the largest, over all j with p_j <= p_i, of p_j times the number of p not below p_j."""
    def scaled(j):
        return min(1.0, p_values[j] * sum(p_values[k] > p_values[j] or (p_values[k] == p_values[j] and k >= j)
                                          for k in range(len(p_values))))
    return [max(scaled(j) for j in range(len(p_values)) if p_values[j] <= p) for p in p_values]


def losses(rng, n):
    """Validation losses of four rows over n seeds: what a seed does to one row it does to all, mostly."""
    seed = rng.normal(0, 0.012, n)
    means = {"adam": 4.111, "qk": 4.108, "vo_ffn": 4.063, "all": 4.061}
    return {name: np.round(mean + seed + rng.normal(0, 0.006, n), 6) for name, mean in means.items()}


def study(write, n, rows):
    adam, full = rows["adam"], rows["all"]
    p_values = [stats.ttest_rel(adam, rows[name]).pvalue for name in ("qk", "vo_ffn", "all")]
    for name, values in rows.items():
        write(f"study{n}.{name}.losses", values)
        interval = stats.t.interval(LEVEL, n - 1, values.mean(), stats.sem(values))
        write(f"study{n}.{name}.loss", (values.mean(), values.std(ddof=1), stats.sem(values), *interval))
        if name == "adam":
            continue
        gain = adam - values
        write(f"study{n}.{name}.gain",
              (gain.mean(), stats.sem(gain), *stats.t.interval(LEVEL, n - 1, gain.mean(), stats.sem(gain))))
        if name != "all":
            top, bottom = adam - values, adam - full
            write(f"study{n}.{name}.recovered",
                  (top.mean() / bottom.mean(), *(exact_bca(top, bottom) if n == 8 else fieller(top, bottom))))
    write(f"study{n}.p", p_values)
    write(f"study{n}.p_holm", holm(p_values))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("tests/golden/statistics.txt"))
    arguments = parser.parse_args()
    lines = ["# written by scripts/make_statistics_goldens.py"]

    def write(name, numbers):
        lines.append(" ".join([name, *(repr(float(x)) for x in numbers)]))

    for row in t_cases():
        write("t_cdf", row)  # t, df, cdf, two-sided p
    for row in quantile_cases():
        write("t_quantile", row)  # p, df, quantile
    for p in (1e-12, 0.001, 0.025, 0.4, 0.5, 0.9, 0.999999):
        write("normal", (p, stats.norm.ppf(p)))
    rng = np.random.default_rng(2026)
    for n in (2, 3, 8, 20):
        a = np.round(rng.normal(4.0, 0.02, n), 6)
        b = np.round(a - 0.01 + rng.normal(0, 0.008, n), 6)
        test = stats.ttest_rel(a, b)
        interval = stats.t.interval(LEVEL, n - 1, a.mean(), stats.sem(a))
        write(f"pair{n}.a", a)
        write(f"pair{n}.b", b)
        write(f"pair{n}.t_test", (test.statistic, test.pvalue, stats.sem(a - b), *interval))
    for i, p_values in enumerate([(0.01, 0.04, 0.03, 0.005), (0.2, 0.5, 0.9), (1e-6, 0.02, 0.02, 0.02, 0.3), (0.04,)]):
        write(f"holm{i}.p", p_values)
        write(f"holm{i}.adjusted", holm(p_values))
    for n, noise in ((3, 0.002), (5, 0.02), (8, 0.01), (8, 0.03), (12, 0.02), (4, 0.2)):
        shared = rng.normal(0, noise, n)
        bottom = np.round(0.05 + shared, 6)
        top = np.round(0.045 + 0.8 * shared + rng.normal(0, 0.6 * noise, n), 6)
        name = f"ratio{n}_{noise}"
        write(f"{name}.top", top)
        write(f"{name}.bottom", bottom)
        found = fieller(top, bottom)
        write(f"{name}.fieller", found if found else (-math.inf, math.inf))
        if n == 8:
            write(f"{name}.exact", exact_bca(top, bottom))
        if n >= 8:
            write(f"{name}.scipy", scipy_bca(top, bottom))
    for n in (3, 8):
        study(write, n, losses(rng, n))
    arguments.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
