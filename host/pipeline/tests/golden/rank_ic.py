"""Golden values of the rank IC, from SciPy.

    pip install scipy==1.17.1 numpy==2.4.6
    python rank_ic.py > rank_ic.json

Scores are multiples of 1/64, which 32-bit floats hold exactly; the coarse grids make ties. Rows are ordered by symbol,
then by date, as in the host's tables. One panel lacks rows, so its dates have different numbers of symbols.
"""

import json

import numpy as np
from scipy.stats import spearmanr


def panel(seed: int, n_symbols: int, n_dates: int, n_levels: int, share_missing: float) -> dict:
    rng = np.random.default_rng(seed)
    score = np.round(rng.random((n_symbols, n_dates)) * n_levels) / 64
    change = np.round(100 * (0.02 * score + 0.03 * rng.standard_normal((n_symbols, n_dates))), 1)
    kept = rng.random((n_symbols, n_dates)) >= share_missing
    # A date needs at least five symbols; the host leaves other dates out.
    dates = [date for date in range(n_dates) if kept[:, date].sum() >= 5]
    of_date = lambda date: float(spearmanr(score[kept[:, date], date], change[kept[:, date], date]).statistic)
    correlations = [of_date(date) for date in dates]
    assert np.isfinite(correlations).all()
    rows = [(symbol, date) for symbol in range(n_symbols) for date in range(n_dates) if kept[symbol, date]]
    return {
        "scores": [float(score[row]) for row in rows],
        "forward_returns": [float(change[row]) for row in rows],
        "dates": [date for _, date in rows],
        "correlations": correlations,
        "mean": float(np.mean(correlations)),
    }


print(json.dumps([panel(1, 5, 12, 64, 0.0), panel(2, 12, 10, 4, 0.0), panel(3, 8, 15, 32, 0.3)]))
