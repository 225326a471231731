"""Makes the golden values of the features: TA-Lib's outputs on four small series of bars.

    python3 -m venv venv && venv/bin/pip install TA-Lib==0.8.2 numpy==2.4.6
    venv/bin/python host/tests/golden/features.py

Writes host/tests/golden/talib/{walk,ties,flat,aapl}.csv: bars, then one column a feature under its name here; an empty
field is a NaN. Numbers carry all their digits.
"""

import csv
from pathlib import Path

import numpy as np
import talib

FOLDER = Path(__file__).parent / "talib"
EXAMPLE = Path(__file__).parents[3] / "examples" / "bars" / "AAPL.csv"
BARS = ["open", "high", "low", "close", "volume"]


def walk(n_bars, seed):
    """A random walk with whole bars around it."""
    rng = np.random.Generator(np.random.PCG64(seed))
    close = 100 * np.exp(np.cumsum(rng.normal(0.0003, 0.02, n_bars)))
    open_ = close * np.exp(rng.normal(0, 0.008, n_bars))
    high = np.maximum(open_, close) * np.exp(np.abs(rng.normal(0, 0.006, n_bars)))
    low = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0, 0.006, n_bars)))
    volume = np.round(rng.lognormal(14, 0.5, n_bars))
    return dict(zip(BARS, [open_, high, low, close, volume]))


def ties(n_bars, seed):
    """Prices rounded so far that closes, highs and lows often repeat, with bars of no volume."""
    bars = {name: np.round(values / 4) for name, values in walk(n_bars, seed).items()}
    bars["volume"][::7] = 0.0
    return bars


def flat(n_bars):
    """A price that never moves."""
    price = np.full(n_bars, 100.0)
    return dict(zip(BARS, [price, price, price, price, np.full(n_bars, 1000.0)]))


def example(first, n_bars):
    """Real bars."""
    with EXAMPLE.open() as file:
        rows = list(csv.DictReader(file))[first : first + n_bars]
    return {name: np.array([float(row[name]) for row in rows]) for name in BARS}


def features(bars):
    """TA-Lib's outputs, by their name here."""
    high, low, close, volume = (bars[name] for name in BARS[1:])
    line, signal, hist = talib.MACD(close, 12, 26, 9)
    stoch_k, stoch_d = talib.STOCH(high, low, close, 14, 3, 0, 3, 0)
    upper, _, lower = talib.BBANDS(close, 20, 2.0, 2.0, 0)
    out = {f"SMA_{n}": talib.SMA(close, n) for n in (20, 50)}
    out |= {f"EMA_{n}": talib.EMA(close, n) for n in (8, 21)}
    out |= {"MACD_LINE": line, "MACD_SIGNAL": signal, "MACD_HIST": hist}
    out |= {"ADX_14": talib.ADX(high, low, close, 14)}
    out |= {"PLUS_DI_14": talib.PLUS_DI(high, low, close, 14), "MINUS_DI_14": talib.MINUS_DI(high, low, close, 14)}
    out |= {f"RSI_{n}": talib.RSI(close, n) for n in (2, 7, 14, 21)}
    out |= {"STOCH_K": stoch_k, "STOCH_D": stoch_d}
    out |= {"WILLR_14": talib.WILLR(high, low, close, 14), "CCI_20": talib.CCI(high, low, close, 20)}
    out |= {"ATR_14": talib.ATR(high, low, close, 14), "NATR_14": talib.NATR(high, low, close, 14)}
    out |= {"BB_UPPER_20": upper, "BB_LOWER_20": lower}
    out |= {"OBV": talib.OBV(close, volume), "MFI_14": talib.MFI(high, low, close, volume, 14)}
    out |= {f"RET_{n}": talib.ROC(close, n) for n in (1, 5, 20, 60)}
    return out


def write(name, bars):
    columns = bars | features(bars)
    with (FOLDER / f"{name}.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for values in zip(*columns.values()):
            writer.writerow("" if np.isnan(value) else repr(float(value)) for value in values)


FOLDER.mkdir(exist_ok=True)
write("walk", walk(160, 1))
write("ties", ties(160, 2))
write("flat", flat(80))
write("aapl", example(300, 160))
