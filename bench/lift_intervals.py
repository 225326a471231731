"""Measures how often 95 % intervals of a rule's lift contain the true lift, and how wide they are.

Usage: lift_intervals.py [PANELS] [BLOCKS...]

    pip install numpy==2.4.6 scipy==1.17.1
    python lift_intervals.py 300 2 3 5 10 25

In: the number of panels per market, and the numbers of blocks per sample (a block is twice the horizon). Out: a
Markdown table on stdout. The panels have a score that persists, overlapping horizons and correlated symbols; the rule
holds where the score is above a quantile. Two rules for intervals are compared: the percentiles of the bootstrap, and
the rule of `host/pipeline/src/rules/lift_interval.rs`. The true lift is 1 without drift, and comes from long
panels of the same market otherwise.
"""

import sys
from collections import defaultdict

import numpy as np
from scipy import stats

N_DRAWS = 1000
BURN_IN = 60
# Drift per unit of score, persistence of the score, quantile of the rule, threshold of the label, GARCH-like returns.
MARKETS = [
    (0.0, 0.95, 0.80, 0.5, False),
    (0.05, 0.95, 0.80, 0.5, False),
    (0.0, 0.95, 0.80, -0.25, True),
    (0.0, 0.70, 0.90, 0.5, False),
    (0.0, 0.95, 0.95, 0.5, False),
    (0.05, 0.70, 0.95, 0.5, True),
]
SIZES = [(n_symbols, horizon) for n_symbols in (1, 4, 20) for horizon in (5, 10)]


def autoregressive(rng, shape, persistence):
    noise = rng.standard_normal(shape)
    values = np.empty_like(noise)
    values[..., 0] = noise[..., 0]
    for date in range(1, shape[-1]):
        values[..., date] = persistence * values[..., date - 1] + np.sqrt(1 - persistence**2) * noise[..., date]
    return values


def panels(rng, n_panels, n_symbols, n_dates, horizon, market):
    """Returns scores and forward returns in standard deviations, each (panel, symbol, date)."""
    drift, persistence, _, _, is_garch = market
    length = n_dates + horizon + BURN_IN
    common, own = (n_panels, 1, length), (n_panels, n_symbols, length)
    score = np.sqrt(0.5) * (autoregressive(rng, common, persistence) + autoregressive(rng, own, persistence))
    if is_garch:
        noise = np.sqrt(0.3 * 0.6) * rng.standard_t(5, common) + np.sqrt(0.7) * rng.standard_normal(own)
        noise = noise * np.exp(0.4 * autoregressive(rng, common, 0.95))
    else:
        noise = np.sqrt(0.3) * rng.standard_normal(common) + np.sqrt(0.7) * rng.standard_normal(own)
    returns = noise
    returns[..., 1:] += drift * score[..., :-1]
    level = np.cumsum(returns, axis=-1)
    start, end = BURN_IN, BURN_IN + n_dates
    forward = level[..., start + horizon : end + horizon] - level[..., start:end]
    return score[..., start:end], forward / np.sqrt(horizon)


def draw_counts(rng, n_dates, block):
    """Returns how often each draw of circular blocks contains each date."""
    counts = np.zeros((N_DRAWS, n_dates), np.int32)
    for first in range(0, n_dates, block):
        dates = rng.integers(0, n_dates, N_DRAWS)[:, None] + np.arange(min(block, n_dates - first))
        np.add.at(counts, (np.arange(N_DRAWS)[:, None], dates % n_dates), 1)
    return counts


def n_episodes(held, horizon):
    """Counts stretches of each symbol that are more than a horizon apart."""
    dates = [np.flatnonzero(symbol) for symbol in held]
    return sum(1 + int((np.diff(found) > horizon).sum()) for found in dates if len(found))


def t_interval(lift, log_lifts, n_observations, base_rate):
    n = max(n_observations, 2)
    reach = stats.t.ppf(0.975, n - 1) * np.sqrt(n / (n - 1)) * np.std(log_lifts, ddof=1)
    return lift * np.exp(-reach), min(lift * np.exp(reach), 1 / base_rate)


def share_interval(is_hit, episodes, base_rate):
    """The limits of Clopper and Pearson if no episode or every episode is a hit."""
    if is_hit:
        return stats.beta.ppf(0.025, episodes, 1) / base_rate, 1 / base_rate
    return 0.0, stats.beta.ppf(0.975, 1, episodes) / base_rate


def true_lift(rng, n_symbols, horizon, market):
    if market[0] == 0:
        return 1.0
    held, hits, held_hits, n_rows = 0, 0, 0, 0
    for _ in range(12):
        score, forward = panels(rng, 60 // n_symbols, n_symbols, 4000, horizon, market)
        holds, is_hit = score > stats.norm.ppf(market[2]), forward >= market[3]
        held, hits, held_hits = held + holds.sum(), hits + is_hit.sum(), held_hits + (holds & is_hit).sum()
        n_rows += holds.size
    return held_hits / held / (hits / n_rows)


def measure(rng, n_panels, n_symbols, n_blocks, horizon, market):
    """Returns the intervals of one market: for each rule, rows of (true lift, low, high)."""
    quantile, threshold = stats.norm.ppf(market[2]), market[3]
    truth = true_lift(rng, n_symbols, horizon, market)
    n_dates, block = 2 * horizon * n_blocks, 2 * horizon
    counts = draw_counts(rng, n_dates, block)
    score, forward = panels(rng, n_panels, n_symbols, n_dates, horizon, market)
    found = defaultdict(list)
    for held, hit in zip(score > quantile, forward >= threshold):
        per_date = np.stack([(held & hit).sum(0), held.sum(0), hit.sum(0), np.full(n_dates, n_symbols)], axis=1)
        n_held_hits, n_held, n_hits, n_rows = per_date.sum(0)
        if n_held == 0 or n_hits == 0 or n_held == n_rows:
            found["null"].append((truth, 0, 0))
            continue
        base_rate = n_hits / n_rows
        lift = n_held_hits / n_held / base_rate
        with np.errstate(divide="ignore", invalid="ignore"):
            drawn = counts @ per_date
            lifts = (drawn[:, 0] / drawn[:, 1]) / (drawn[:, 2] / drawn[:, 3])
        defined = lifts[np.isfinite(lifts)]
        if len(defined) >= 0.9 * N_DRAWS:
            found["percentiles"].append((truth, *np.quantile(defined, [0.025, 0.975])))
        episodes = n_episodes(held, horizon)
        if n_held_hits in (0, n_held):
            kind, bounds = "share", share_interval(n_held_hits > 0, episodes, base_rate)
        else:
            log_lifts = np.log(defined[defined > 0])
            kind, bounds = "t", t_interval(lift, log_lifts, min(n_blocks, episodes), base_rate)
            found["t, blocks only"].append((truth, *t_interval(lift, log_lifts, n_blocks, base_rate)))
            if len(log_lifts) < 0.9 * N_DRAWS:
                found["t, few defined draws"].append((truth, *bounds))
        found[kind].append((truth, *bounds))
        found["new"].append((truth, *bounds))
    return found


def main():
    n_panels = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    kinds = ["percentiles", "new", "t", "t, blocks only", "t, few defined draws", "share"]
    print("| blocks | rule | intervals | coverage | lowest coverage of a market | median width | share null |")
    print("| ---: | --- | ---: | ---: | ---: | ---: | ---: |")
    for n_blocks in [int(text) for text in sys.argv[2:]] or [2, 3, 5, 10, 25]:
        rng = np.random.default_rng(n_blocks)
        markets = [
            measure(rng, n_panels if n_symbols < 20 else n_panels // 2, n_symbols, n_blocks, horizon, market)
            for n_symbols, horizon in SIZES
            for market in MARKETS
        ]
        n_null = sum(len(market["null"]) for market in markets)
        n_defined = sum(len(market["new"]) for market in markets)
        for kind in kinds:
            samples = [np.array(market[kind]) for market in markets if market[kind]]
            if not samples:
                continue
            covers = lambda rows: ((rows[:, 1] <= rows[:, 0]) & (rows[:, 0] <= rows[:, 2])).mean()
            # The coverage of a few intervals is mostly noise.
            lowest = min((covers(rows) for rows in samples if len(rows) >= 100), default=np.nan)
            rows = np.concatenate(samples)
            width = np.median(rows[:, 2] - rows[:, 1])
            null = n_null + n_defined - len(rows) if kind in ("percentiles", "new") else 0
            print(
                f"| {n_blocks} | {kind} | {len(rows)} | {covers(rows):.3f} | {lowest:.2f} | {width:.2f} "
                f"| {null / (n_null + n_defined):.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
