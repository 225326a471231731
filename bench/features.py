"""Times the features of oculus-host, TA-Lib's C functions and pandas on one core and the same series.

Usage: features.py TIMES_PROGRAM DOCS [MOST_ROWS]

In: the program `feature_times` (bench/src/bin). Out: the section `features` of DOCS/benchmarks.md, and
DOCS/benchmarks/features.svg. The three are timed alternately in one run, so that a slow phase of the machine affects all of them. The best of several
turns is reported.
"""

import math
import os
import platform
import subprocess
import sys
import tempfile
import time

import numpy as np
import pandas as pd
import talib
from page import replace_section

N_TURNS = 5
SIZES = [1_000, 10_000, 100_000, 1_000_000, 10_000_000]
TABLE_SIZES = [100_000, 1_000_000]
# Limit for pandas, whose complete table and its parts must fit into memory.
MAX_PANDAS_ROWS = 1_000_000


class Bars:
    """A series as numpy arrays: open, high, low, close, volume."""

    def __init__(self, path, n):
        values = np.fromfile(path).reshape(5, n)
        self.o, self.h, self.l, self.c, self.v = (np.ascontiguousarray(row) for row in values)


# A function of TA-Lib, the names of its outputs as features of oculus-host, and the call.
TALIB = [
    ("SMA", "SMA_20", lambda b: talib.SMA(b.c, 20)),
    ("SMA of 200", "SMA_200", lambda b: talib.SMA(b.c, 200)),
    ("EMA", "EMA_21", lambda b: talib.EMA(b.c, 21)),
    ("MACD, 3 outputs", "MACD_LINE,MACD_SIGNAL,MACD_HIST", lambda b: talib.MACD(b.c)),
    ("ADX", "ADX_14", lambda b: talib.ADX(b.h, b.l, b.c, 14)),
    ("PLUS_DI", "PLUS_DI_14", lambda b: talib.PLUS_DI(b.h, b.l, b.c, 14)),
    ("AROON, 2 outputs", "AROON_UP_25,AROON_DOWN_25", lambda b: talib.AROON(b.h, b.l, 25)),
    ("TRIX", "TRIX_15", lambda b: talib.TRIX(b.c, 15)),
    ("LINEARREG_SLOPE", "LINREG_SLOPE_20", lambda b: talib.LINEARREG_SLOPE(b.c, 20)),
    ("RSI", "RSI_14", lambda b: talib.RSI(b.c, 14)),
    ("STOCH, 2 outputs", "STOCH_K,STOCH_D", lambda b: talib.STOCH(b.h, b.l, b.c, 14, 3, 0, 3, 0)),
    ("WILLR", "WILLR_14", lambda b: talib.WILLR(b.h, b.l, b.c, 14)),
    ("CCI", "CCI_20", lambda b: talib.CCI(b.h, b.l, b.c, 20)),
    ("CMO", "CMO_14", lambda b: talib.CMO(b.c, 14)),
    ("ULTOSC", "ULTOSC", lambda b: talib.ULTOSC(b.h, b.l, b.c)),
    ("ATR", "ATR_14", lambda b: talib.ATR(b.h, b.l, b.c, 14)),
    ("NATR", "NATR_14", lambda b: talib.NATR(b.h, b.l, b.c, 14)),
    ("BBANDS, 2 outputs", "BB_UPPER_20,BB_LOWER_20", lambda b: talib.BBANDS(b.c, 20)),
    ("MFI", "MFI_14", lambda b: talib.MFI(b.h, b.l, b.c, b.v, 14)),
    ("OBV", "OBV", lambda b: talib.OBV(b.c, b.v)),
    ("ADOSC", "ADOSC_3_10", lambda b: talib.ADOSC(b.h, b.l, b.c, b.v, 3, 10)),
    ("ROCP", "RET_10", lambda b: talib.ROCP(b.c, 10)),
]


def pandas_table(d):
    """Computes approximately the default features, written for pandas and TA-Lib."""
    o, h, l, c, v = d.open, d.high, d.low, d.close, d.volume
    out = {}
    for n in (10, 20, 50, 100, 200):
        out[f"sma_{n}"] = c.rolling(n).mean()
    for n in (8, 12, 21, 26, 50, 200):
        out[f"ema_{n}"] = talib.EMA(c, n)
    for n in (20, 50, 200):
        out[f"price_to_sma_{n}"] = 100 * (c / c.rolling(n).mean() - 1)
    for n, m in ((8, 21), (12, 26)):
        out[f"ema_cross_{n}_{m}"] = 100 * (talib.EMA(c, n) / talib.EMA(c, m) - 1)
    for n, m in ((20, 50), (50, 200)):
        out[f"sma_cross_{n}_{m}"] = 100 * (c.rolling(n).mean() / c.rolling(m).mean() - 1)
    out["macd"], out["macd_signal"], out["macd_hist"] = talib.MACD(c)
    out["adx"] = talib.ADX(h, l, c, 14)
    out["plus_di"], out["minus_di"] = talib.PLUS_DI(h, l, c, 14), talib.MINUS_DI(h, l, c, 14)
    out["aroon_down"], out["aroon_up"] = talib.AROON(h, l, 25)
    out["sar"], out["trix"] = talib.SAR(h, l), talib.TRIX(c, 15)
    out["slope"] = talib.LINEARREG_SLOPE(c, 20)
    out["tenkan"] = (h.rolling(9).max() + l.rolling(9).min()) / 2
    out["kijun"] = (h.rolling(26).max() + l.rolling(26).min()) / 2
    for n in (2, 7, 14, 21):
        out[f"rsi_{n}"] = talib.RSI(c, n)
    out["stoch_k"], out["stoch_d"] = talib.STOCH(h, l, c, 14, 3, 0, 3, 0)
    out["stochrsi_k"], out["stochrsi_d"] = talib.STOCHRSI(c, 14)
    out["willr"], out["cci"], out["cmo"] = talib.WILLR(h, l, c, 14), talib.CCI(h, l, c, 20), talib.CMO(c, 14)
    out["ultosc"], out["ppo"], out["mom"] = talib.ULTOSC(h, l, c), talib.PPO(c), talib.MOM(c, 10)
    median = (h + l) / 2
    out["ao"] = median.rolling(5).mean() - median.rolling(34).mean()
    out["atr"], out["natr"] = talib.ATR(h, l, c, 14), talib.NATR(h, l, c, 14)
    mean, deviation = c.rolling(20).mean(), c.rolling(20).std(ddof=0)
    out["bb_upper"], out["bb_lower"] = mean + 2 * deviation, mean - 2 * deviation
    out["bb_width"] = 400 * deviation / mean
    out["bb_pct_b"] = (c - mean + 2 * deviation) / (4 * deviation)
    log_return = np.log(c).diff()
    for n in (10, 20, 60):
        out[f"hv_{n}"] = 100 * math.sqrt(252) * log_return.rolling(n).std()
    out["parkinson"] = (np.log(h / l) ** 2).rolling(20).mean().pow(0.5)
    highest, lowest = h.rolling(20).max(), l.rolling(20).min()
    out["donchian"] = (c - lowest) / (highest - lowest)
    out["atr_ratio"] = talib.ATR(h, l, c, 5) / talib.ATR(h, l, c, 20)
    obv = talib.OBV(c, v)
    out["obv"], out["obv_slope"] = obv, talib.LINEARREG_SLOPE(obv, 20) / v.rolling(20).mean()
    out["mfi"], out["adosc"] = talib.MFI(h, l, c, v, 14), talib.ADOSC(h, l, c, v, 3, 10)
    out["volume_ratio"] = v / v.rolling(20).mean()
    out["volume_z"] = (v - v.rolling(20).mean()) / v.rolling(20).std(ddof=0)
    money = ((c - l) - (h - c)) / (h - l) * v
    out["cmf"] = money.rolling(20).sum() / v.rolling(20).sum()
    out["force"] = (c.diff() * v).ewm(span=13).mean()
    typical = (h + l + c) / 3
    out["vwap_dist"] = 100 * (c / ((typical * v).rolling(20).sum() / v.rolling(20).sum()) - 1)
    out["dollar_volume"] = (c * v).rolling(20).mean()
    for n in (1, 2, 3, 5, 10, 20, 60):
        out[f"ret_{n}"] = 100 * c.pct_change(n)
    out["gap"], out["body"] = 100 * (o / c.shift() - 1), 100 * (c / o - 1)
    out["upper_wick"] = (h - np.maximum(o, c)) / (h - l)
    out["lower_wick"] = (np.minimum(o, c) - l) / (h - l)
    out["close_loc"] = (c - l) / (h - l)
    for n in (20, 252):
        out[f"dist_high_{n}"] = 100 * (c / h.rolling(n).max() - 1)
        out[f"dist_low_{n}"] = 100 * (c / l.rolling(n).min() - 1)
    out["zscore"] = (c - mean) / deviation
    out["inside"] = ((h < h.shift()) & (l > l.shift())).astype(float)
    return pd.DataFrame(out)


class TimingProgram:
    """The process of `feature_times`, which replies to one request per line."""

    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def request(self, line):
        """Sends a request and returns the words of the reply."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        reply = self.process.stdout.readline().split()
        if not reply:
            sys.exit(f"feature_times did not reply to: {line}")
        return reply

    def seconds(self, names=""):
        """Computes features once; returns the number of columns and the seconds."""
        n_columns, seconds = self.request(f"time {names}".strip())
        return int(n_columns), float(seconds)


def clock(work):
    """Returns the seconds of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def best_times(*works):
    """Runs the works alternately several times, and returns the shortest time of each."""
    return [min(times) for times in zip(*[[work() for work in works] for _ in range(N_TURNS)])]


def frame_of(bars):
    return pd.DataFrame({"open": bars.o, "high": bars.h, "low": bars.l, "close": bars.c, "volume": bars.v})


def by_function(ours, bars, n):
    """Returns the nanoseconds per bar of each function of TA-Lib and of the equal features of oculus-host."""
    rows = []
    for name, names, call in TALIB:
        mine, theirs = best_times(lambda: ours.seconds(names)[1], lambda: clock(lambda: call(bars)))
        rows.append((name, names, 1e9 * mine / n, 1e9 * theirs / n))
    return rows


def all_features(ours, bars, n):
    """Returns the numbers of columns, and the seconds per column, of oculus-host, TA-Lib and pandas.

    The seconds of pandas are `None` if the series is too long for it.
    """
    n_columns = ours.seconds()[0]
    works = [lambda: ours.seconds()[1], lambda: clock(lambda: [call(bars) for _, _, call in TALIB])]
    n_theirs = sum(names.count(",") + 1 for _, names, _ in TALIB)
    counts = [n_columns, n_theirs]
    if n <= MAX_PANDAS_ROWS:
        frame = frame_of(bars)
        counts.append(pandas_table(frame.head(500)).shape[1])
        works.append(lambda: clock(lambda: pandas_table(frame)))
    seconds = best_times(*works)
    each = [total / count for total, count in zip(seconds, counts)]
    return counts, each + [None] * (3 - len(each))


def slope(points):
    """Returns the exponent of time as a power of rows: the slope of a line fitted to their logarithms."""
    known = [(n, seconds) for n, seconds in points if seconds is not None]
    return np.polyfit(np.log([n for n, _ in known]), np.log([seconds for _, seconds in known]), 1)[0]


def duration(power):
    """Formats a power of ten of seconds, such as `10 ms`."""
    unit, shift = next((unit, shift) for unit, shift in (("s", 0), ("ms", 3), ("µs", 6), ("ns", 9)) if power + shift >= 0)
    return f"{10 ** (power + shift)} {unit}"


def draw_chart(points, path):
    """Draws the seconds per feature against the rows, with logarithmic axes."""
    width, height, left, right, bottom = 660, 400, 70, 50, 50
    names, colours = ["oculus-host", "TA-Lib from Python", "pandas + TA-Lib"], ["#1769aa", "#b26a00", "#8a2be2"]
    known = [seconds for _, each in points for seconds in each if seconds is not None]
    low, high = math.floor(math.log10(min(known))), math.ceil(math.log10(max(known)))
    first, last = math.log10(points[0][0]), math.log10(points[-1][0])
    x = lambda n: left + (math.log10(n) - first) / (last - first) * (width - left - right)
    y = lambda s: height - bottom - (math.log10(s) - low) / (high - low) * (height - bottom - 30)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
           f'<rect width="{width}" height="{height}" fill="white"/>']
    for power in range(low, high + 1):
        at = y(10.0**power)
        out.append(f'<line x1="{left}" x2="{width - right}" y1="{at:.1f}" y2="{at:.1f}" stroke="#ddd"/>')
        out.append(f'<text x="{left - 8}" y="{at + 4:.1f}" text-anchor="end">{duration(power)}</text>')
    for n, _ in points:
        out.append(f'<line x1="{x(n):.1f}" x2="{x(n):.1f}" y1="30" y2="{height - bottom}" stroke="#eee"/>')
        out.append(f'<text x="{x(n):.1f}" y="{height - bottom + 18}" text-anchor="middle">{n:,}</text>')
    out.append(f'<text x="{(left + width) / 2}" y="{height - 12}" text-anchor="middle">bars</text>')
    out.append(f'<text x="{left}" y="18">time per feature, one core</text>')
    for idx, (name, colour) in enumerate(zip(names, colours)):
        line = [(x(n), y(each[idx])) for n, each in points if each[idx] is not None]
        path_of = " ".join(f"{a:.1f},{b:.1f}" for a, b in line)
        out.append(f'<polyline points="{path_of}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{colour}"/>' for a, b in line]
        out.append(f'<text x="{left + 20}" y="{50 + 18 * idx}" fill="{colour}">{name}</text>')
    with open(path, "w") as file:
        file.write("\n".join(out + ["</svg>", ""]))


def cpu():
    """Returns the name of the processor."""
    try:
        with open("/proc/cpuinfo") as info:
            return next(line.split(":")[1].strip() for line in info if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def markdown(functions, points, counts):
    versions = f"TA-Lib {talib.__version__}, numpy {np.__version__}, pandas {pd.__version__}, Python {platform.python_version()}"
    lines = [f"One core of {cpu()}; {versions}. Best of {N_TURNS} turns.", "",
             "The time per feature is the time for all features of a series, divided by the number of features.",
             f"There are {counts[0]} features of oculus-host, {counts[1]} outputs of {len(TALIB)} functions of TA-Lib, and {counts[2]} columns of the pandas table.", "",
             "| bars | oculus-host, µs per feature | TA-Lib | pandas + TA-Lib | oculus-host, features per second |",
             "| ---: | ---: | ---: | ---: | ---: |"]
    cell = lambda seconds: "–" if seconds is None else f"{1e6 * seconds:,.1f}"
    for n, each in points:
        lines.append(f"| {n:,} | {cell(each[0])} | {cell(each[1])} | {cell(each[2])} | {1 / each[0]:,.0f} |")
    slopes = [slope([(n, each[idx]) for n, each in points]) for idx in range(3)]
    lines += ["", f"Between {points[0][0]:,} and {points[-1][0]:,} bars, the time grows as a power of the number of bars. The exponents are",
              f"{slopes[0]:.3f} (oculus-host), {slopes[1]:.3f} (TA-Lib) and {slopes[2]:.3f} (pandas).", "",
              "The next table contains the nanoseconds per bar for each function of TA-Lib:", "",
              "| function | features | " + " | ".join(f"oculus-host, {n:,} | TA-Lib, {n:,}" for n in functions) + " |",
              "| --- | --- | " + " | ".join("---: | ---:" for _ in functions) + " |"]
    for rows in zip(*functions.values()):
        cells = " | ".join(f"{mine:.1f} | {theirs:.1f}" for _, _, mine, theirs in rows)
        names = ", ".join(f"`{name}`" for name in rows[0][1].split(","))
        lines.append(f"| {rows[0][0]} | {names} | {cells} |")
    sums = " | ".join(f"{sum(r[2] for r in rows):.0f} | {sum(r[3] for r in rows):.0f}" for rows in functions.values())
    lines.append(f"| sum | | {sums} |")
    return "\n".join(lines)


def main():
    program, docs = sys.argv[1:3]
    max_rows = int(sys.argv[3]) if len(sys.argv) > 3 else SIZES[-1]
    # All three run on the same core, so that their times are comparable.
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    ours = TimingProgram(program)
    functions, points, counts = {}, [], None
    with tempfile.TemporaryDirectory() as folder:
        for n in [n for n in SIZES if n <= max_rows]:
            path = os.path.join(folder, "series")
            ours.request(f"series {n} {path}")
            bars = Bars(path, n)
            if n in TABLE_SIZES:
                functions[n] = by_function(ours, bars, n)
            of_size, each = all_features(ours, bars, n)
            counts = of_size if len(of_size) == 3 else counts
            points.append((n, each))
            print(f"{n:>10,} bars:", *(f"{1e6 * s:12.2f} µs" for s in each if s is not None), file=sys.stderr)
    text = markdown(functions, points, counts)
    replace_section(os.path.join(docs, "benchmarks.md"), "features", text)
    os.makedirs(os.path.join(docs, "benchmarks"), exist_ok=True)
    draw_chart(points, os.path.join(docs, "benchmarks", "features.svg"))
    print(text)


if __name__ == "__main__":
    main()
