"""Measures how often 95 % intervals of an AUC contain the true AUC, and how wide they are.

Usage: auc_intervals.py [PANELS] [BLOCKS...]

    pip install numpy==2.4.6 scipy==1.17.1
    python auc_intervals.py 200 2 5 10 25

In: the number of panels per market, and the numbers of blocks per sample (a block is twice the horizon). Out: a
Markdown table on stdout. The panels are those of lift_intervals.py. Two rules for intervals are compared: the
percentiles of the bootstrap, and the t interval on the logit scale of `host/pipeline/src/metrics/t_interval.rs`, which
the program uses from 4 blocks and 10 rows of either class on. The true AUC comes from long panels of the same market.
"""

import sys

import numpy as np
from scipy import stats

from lift_intervals import MARKETS, SIZES, draw_counts, panels

# Smallest number of rows of either class with an interval.
MIN_CLASS_ROWS = 10


def auc(ordered_labels, weights):
    """Returns the AUC of each row of weights; the labels and the weights are ordered by score."""
    positive = weights * ordered_labels
    negative = weights * ~ordered_labels
    pairs = (positive * np.cumsum(negative, axis=1)).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return pairs / (positive.sum(axis=1, dtype=float) * negative.sum(axis=1, dtype=float))


def true_auc(rng, n_symbols, horizon, market):
    if market[0] == 0:
        return 0.5
    score, forward = panels(rng, 240 // n_symbols, n_symbols, 4000, horizon, market)
    labels = (forward >= market[3]).ravel()[np.argsort(score, axis=None)]
    return auc(labels, np.ones((1, labels.size), np.int32))[0]


def measure(rng, n_panels, n_symbols, n_blocks, horizon, market):
    """Returns the intervals of one market: for each rule, rows of (true AUC, low, high)."""
    truth = true_auc(rng, n_symbols, horizon, market)
    block = 2 * horizon
    n_dates = block * n_blocks
    found = {"percentiles": [], "t": []}
    score, forward = panels(rng, n_panels, n_symbols, n_dates, horizon, market)
    for scores, labels in zip(score, forward >= market[3]):
        if min(labels.sum(), (~labels).sum()) < MIN_CLASS_ROWS:
            continue
        order = np.argsort(scores, axis=None)
        ordered, dates = labels.ravel()[order], np.tile(np.arange(n_dates), n_symbols)[order]
        estimate = auc(ordered, np.ones((1, ordered.size), np.int32))[0]
        drawn = auc(ordered, draw_counts(rng, n_dates, block)[:, dates])
        drawn = drawn[np.isfinite(drawn)]
        if len(drawn) < 900 or not 0 < estimate < 1:
            continue
        found["percentiles"].append((truth, *np.quantile(drawn, [0.025, 0.975])))
        deviation = np.std(drawn, ddof=1) / (estimate * (1 - estimate))
        reach = stats.t.ppf(0.975, n_blocks - 1) * np.sqrt(n_blocks / (n_blocks - 1)) * deviation
        logit = np.log(estimate / (1 - estimate))
        found["t"].append((truth, *(1 / (1 + np.exp(-(logit + np.array([-reach, reach])))))))
    return found


def main():
    n_panels = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    print("| blocks | rule | intervals | coverage | lowest coverage of a market | mean width |")
    print("| ---: | --- | ---: | ---: | ---: | ---: |")
    for n_blocks in [int(text) for text in sys.argv[2:]] or [2, 5, 10, 25]:
        rng = np.random.default_rng(n_blocks)
        # The quantile of a rule does not matter for an AUC, so markets that differ in it alone are left out.
        markets = [
            measure(rng, n_panels if n_symbols < 20 else n_panels // 4, n_symbols, n_blocks, horizon, market)
            for n_symbols, horizon in SIZES
            for market in MARKETS[:4] + MARKETS[5:]
        ]
        for rule in ("t", "percentiles"):
            samples = [np.array(market[rule]) for market in markets if len(market[rule]) >= 40]
            covers = [((rows[:, 1] <= rows[:, 0]) & (rows[:, 0] <= rows[:, 2])).mean() for rows in samples]
            rows = np.concatenate(samples)
            coverage = ((rows[:, 1] <= rows[:, 0]) & (rows[:, 0] <= rows[:, 2])).mean()
            width = (rows[:, 2] - rows[:, 1]).mean()
            print(f"| {n_blocks} | {rule} | {len(rows)} | {coverage:.3f} | {min(covers):.2f} | {width:.3f} |", flush=True)


if __name__ == "__main__":
    main()
