"""Makes the golden values of the features on four small series of bars: TA-Lib's outputs, and plain loops for what
TA-Lib has not.

    python3 -m venv venv && venv/bin/pip install TA-Lib==0.8.2 numpy==2.4.6
    venv/bin/python host/tests/golden/features.py

Writes host/tests/golden/talib/{walk,ties,flat,aapl}.csv: bars, then one column a feature under its name here; an empty
field is a NaN. Numbers carry all their digits.
"""

import csv
from datetime import date
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


def after(first, values, of):
    """A function of the values from `first` on, NaN before."""
    return np.concatenate([np.full(first, np.nan), of(values[first:])])


def each(first, n_bars, of):
    """A function of each bar from `first` on, NaN before."""
    return np.array([of(bar) if bar >= first else np.nan for bar in range(n_bars)])


def middle(high, low, n):
    """Middle of the range of n bars."""
    return each(n - 1, len(high), lambda bar: (max(high[bar + 1 - n : bar + 1]) + min(low[bar + 1 - n : bar + 1])) / 2)


def ema(values, n):
    """Exponential average by its definition: the mean of the first n, then 2/(n + 1) of each distance."""
    out = np.full(len(values), np.nan)
    out[n - 1] = sum(values[:n]) / n
    for bar in range(n, len(values)):
        out[bar] = out[bar - 1] + (values[bar] - out[bar - 1]) * 2 / (n + 1)
    return out


def side(values, levels):
    """1 above, -1 below, 0 within rounding."""
    distance = values - levels
    return np.where(np.isnan(distance), np.nan, np.where(np.abs(distance) <= 1e-12 * values, 0.0, np.sign(distance)))


def supertrend(high, low, close, n, m):
    """Bands of m average ranges that move towards the price alone; level and side of the one that trails it."""
    distance = m * talib.ATR(high, low, close, n)
    levels, sides = np.full(len(close), np.nan), np.full(len(close), np.nan)
    upper, lower, now = np.inf, -np.inf, 1.0
    for bar in range(n, len(close)):
        centre = (high[bar] + low[bar]) / 2
        noise = 1e-12 * close[bar]
        if close[bar - 1] > upper + noise or centre + distance[bar] < upper:
            upper = centre + distance[bar]
        if close[bar - 1] < lower - noise or centre - distance[bar] > lower:
            lower = centre - distance[bar]
        if now > 0 and close[bar] < lower - noise:
            now = -1.0
        elif now < 0 and close[bar] > upper + noise:
            now = 1.0
        sides[bar], levels[bar] = now, lower if now > 0 else upper
    return levels, sides


def explained(close, n):
    """Squared correlation of close and bar over n bars, 0 where nothing moves."""

    def of(bar):
        window = close[bar + 1 - n : bar + 1]
        return 0.0 if np.ptp(window) == 0 else np.corrcoef(np.arange(n), window)[0, 1] ** 2

    return each(n - 1, len(close), of)


def cloud_distance(high, low, close, n, m, k):
    """The close from the nearest edge of the cloud that was computed m bars ago, %; 0 within it."""
    one, other, edge = middle(high, low, n), middle(high, low, m), middle(high, low, k)

    def of(bar):
        edges = sorted([(one[bar - m] + other[bar - m]) / 2, edge[bar - m]])
        nearest = min(max(close[bar], edges[0]), edges[1])
        return 100 * (close[bar] / nearest - 1)

    return each(max(n, m, k) - 1 + m, len(close), of)


def true_strength(close, n, m, k):
    """Changes averaged twice in percent of their sizes averaged twice, 0 where nothing moved; and its average."""
    change = np.diff(close, prepend=np.nan)
    twice = lambda values: after(n, after(1, values, lambda known: ema(known, n)), lambda known: ema(known, m))
    top, bottom = twice(change), twice(np.abs(change))
    line = np.where(bottom <= 1e-12 * close, 0.0, 100 * np.divide(top, bottom, where=bottom > 0, out=np.zeros_like(top)))
    line[np.isnan(bottom)] = np.nan
    return line, after(n + m - 1, line, lambda known: ema(known, k))


def trend(bars):
    """Averages and their crossings, directional movement, channels, trailing stops."""
    high, low, close = (bars[name] for name in BARS[1:4])
    out = {f"SMA_{n}": talib.SMA(close, n) for n in (10, 20, 50)}
    out |= {f"EMA_{n}": talib.EMA(close, n) for n in (8, 12, 21, 26, 50)}
    out |= {"PRICE_TO_SMA_20": 100 * (close / talib.SMA(close, 20) - 1)}
    out |= {"PRICE_TO_EMA_21": 100 * (close / talib.EMA(close, 21) - 1)}
    out |= {"EMA_CROSS_8_21": 100 * (talib.EMA(close, 8) / talib.EMA(close, 21) - 1)}
    out |= {"SMA_CROSS_20_50": 100 * (talib.SMA(close, 20) / talib.SMA(close, 50) - 1)}
    for suffix, windows in (("", (12, 26, 9)), ("_5_35_5", (5, 35, 5))):
        line, signal, hist = talib.MACD(close, *windows)
        out |= {"MACD_LINE" + suffix: line, "MACD_SIGNAL" + suffix: signal, "MACD_HIST" + suffix: hist}
    ppo = talib.PPO(close, 12, 26, 1)
    signal = after(25, ppo, lambda known: ema(known, 9))
    out |= {"PPO_LINE": ppo, "PPO_SIGNAL": signal, "PPO_HIST": ppo - signal}
    plus, minus = talib.PLUS_DI(high, low, close, 14), talib.MINUS_DI(high, low, close, 14)
    out |= {"ADX_14": talib.ADX(high, low, close, 14), "ADX_5": talib.ADX(high, low, close, 5)}
    out |= {"PLUS_DI_14": plus, "MINUS_DI_14": minus, "DI_DIFF_14": plus - minus}
    for n in (25, 7):
        down, up = talib.AROON(high, low, n)
        out |= {f"AROON_UP_{n}": up, f"AROON_DOWN_{n}": down, f"AROON_OSC_{n}": talib.AROONOSC(high, low, n)}
    sar = talib.SAR(high, low, 0.02, 0.2)
    out |= {"PSAR": sar, "PSAR_DIR": side(close, sar)}
    for n, m in ((10, 3), (7, 1)):
        out |= dict(zip([f"SUPERTREND_{n}_{m}", f"SUPERTREND_DIR_{n}_{m}"], supertrend(high, low, close, n, m)))
    out |= {"TRIX_15": talib.TRIX(close, 15)}
    for n in (20, 5):
        out |= {f"LINREG_SLOPE_{n}": 100 * talib.LINEARREG_SLOPE(close, n) / close, f"LINREG_R2_{n}": explained(close, n)}
    tenkan, kijun = middle(high, low, 9), middle(high, low, 26)
    out |= {"ICHIMOKU_TENKAN": tenkan, "ICHIMOKU_TENKAN_DIST": 100 * (close / tenkan - 1)}
    out |= {"ICHIMOKU_KIJUN": kijun, "ICHIMOKU_KIJUN_DIST": 100 * (close / kijun - 1)}
    out |= {"ICHIMOKU_CLOUD_DIST": cloud_distance(high, low, close, 9, 26, 52)}
    return out


def momentum(bars):
    """Oscillators of the close in its range, of gains and losses."""
    high, low, close = (bars[name] for name in BARS[1:4])
    stoch_k, stoch_d = talib.STOCH(high, low, close, 14, 3, 0, 3, 0)
    out = {f"RSI_{n}": talib.RSI(close, n) for n in (2, 7, 14, 21)}
    out |= {"STOCH_K": stoch_k, "STOCH_D": stoch_d}
    fast_k, fast_d = talib.STOCHRSI(close, 14, 14, 3, 0)
    out |= {"STOCHRSI_K_14_14_1": fast_k, "STOCHRSI_D_14_14_1": fast_d}
    every_fast_k, _ = talib.STOCHRSI(close, 14, 14, 1, 0)
    slow_k = after(27, every_fast_k, lambda known: talib.SMA(known, 3))
    slow_d = after(29, slow_k, lambda known: talib.SMA(known, 3))
    out |= {"STOCHRSI_K": np.where(np.isnan(slow_d), np.nan, slow_k), "STOCHRSI_D": slow_d}
    out |= {"WILLR_14": talib.WILLR(high, low, close, 14)}
    out |= {"CCI_20": talib.CCI(high, low, close, 20), "CCI_7": talib.CCI(high, low, close, 7)}
    out |= {"CMO_14": talib.CMO(close, 14), "MOM_10": talib.MOM(close, 10), "ULTOSC": talib.ULTOSC(high, low, close, 7, 14, 28)}
    out |= dict(zip(["TSI", "TSI_SIGNAL"], true_strength(close, 25, 13, 13)))
    centre = (high + low) / 2
    fast, slow = (each(n - 1, len(close), lambda bar: sum(centre[bar + 1 - n : bar + 1]) / n) for n in (5, 34))
    out |= {"AO": fast - slow, "AO_PCT": 100 * (fast / slow - 1)}
    return out


def share(top, bottom, otherwise):
    """A quotient, or something else where nothing is divided by."""
    return otherwise if bottom <= 0 else top / bottom


def place(close, upper, lower):
    """Place of the close between two ends, 0.5 where they touch."""
    return each(0, len(close), lambda bar: share(close[bar] - lower[bar], upper[bar] - lower[bar], 0.5))


def volatility(bars):
    """Ranges, bands and channels, deviations."""
    high, low, close = (bars[name] for name in BARS[1:4])
    n_bars = len(close)
    out = {"ATR_14": talib.ATR(high, low, close, 14), "NATR_14": talib.NATR(high, low, close, 14)}
    out |= {"ATR_5": talib.ATR(high, low, close, 5), "NATR_5": talib.NATR(high, low, close, 5)}
    short, long = talib.ATR(high, low, close, 5), talib.ATR(high, low, close, 20)
    out |= {"ATR_RATIO_5_20": each(20, n_bars, lambda bar: share(short[bar], long[bar], 1.0))}
    for n, k, suffix in ((20, 2.0, "20"), (10, 1.5, "10_1.5")):
        upper, middle, lower = talib.BBANDS(close, n, k, k, 0)
        # TA-Lib takes squares of prices, whose rounding grows where prices hardly move.
        if np.ptp(close) == 0:
            upper, lower = middle, middle
        out |= {f"BB_UPPER_{suffix}": upper, f"BB_LOWER_{suffix}": lower}
        out |= {f"BB_WIDTH_{suffix}": 100 * (upper - lower) / middle, f"BB_PCT_B_{suffix}": place(close, upper, lower)}
    true_range = each(1, n_bars, lambda bar: max(high[bar], close[bar - 1]) - min(low[bar], close[bar - 1]))
    centre, reach = ema(close, 20), after(1, true_range, lambda known: ema(known, 20))
    upper, lower = centre + 2 * reach, centre - 2 * reach
    out |= {"KELTNER_UPPER_20": upper, "KELTNER_LOWER_20": lower}
    out |= {"KELTNER_POS_20": after(20, place(close, upper, lower), lambda known: known)}
    band, _, below = talib.BBANDS(close, 20, 2.0, 2.0, 0)
    narrow = lambda bar: float(band[bar] < centre[bar] + 1.5 * reach[bar] and below[bar] > centre[bar] - 1.5 * reach[bar])
    out |= {"BB_SQUEEZE": each(20, n_bars, narrow)}
    upper, lower = talib.MAX(high, 20), talib.MIN(low, 20)
    out |= {"DONCHIAN_UPPER_20": upper, "DONCHIAN_LOWER_20": lower}
    out |= {"DONCHIAN_POS_20": after(19, place(close, upper, lower), lambda known: known)}
    change = each(1, n_bars, lambda bar: np.log(close[bar] / close[bar - 1]))
    for n in (10, 20, 60):
        deviation = lambda bar: 100 * np.std(change[bar + 1 - n : bar + 1], ddof=1) * np.sqrt(252)
        out |= {f"HV_{n}": each(n, n_bars, deviation)}
    spread = np.log(high / low) ** 2
    mean = lambda bar: sum(spread[bar - 19 : bar + 1]) / 20
    out |= {"PARKINSON_20": each(19, n_bars, lambda bar: 100 * np.sqrt(252 / (4 * np.log(2)) * mean(bar)))}
    return out


def volume(bars):
    """Volume with its direction, and how much of it there is."""
    high, low, close, traded = (bars[name] for name in BARS[1:])
    n_bars = len(close)
    obv = talib.OBV(close, traded)
    window = lambda values, bar, n: values[bar + 1 - n : bar + 1]
    out = {"OBV": obv, "MFI_14": talib.MFI(high, low, close, traded, 14), "MFI_5": talib.MFI(high, low, close, traded, 5)}
    slope = lambda bar: 100 * share(obv[bar] - obv[bar - 20], sum(window(traded, bar, 20)), 0.0)
    out |= {"OBV_SLOPE_20": each(20, n_bars, slope)}
    mean = lambda bar: sum(window(traded, bar, 20)) / 20
    out |= {"VOLUME_RATIO_20": each(19, n_bars, lambda bar: share(traded[bar], mean(bar), 1.0))}
    z = lambda bar: share(traded[bar] - mean(bar), np.std(window(traded, bar, 20)), 0.0)
    out |= {"VOLUME_Z_20": each(19, n_bars, z)}
    placed = each(0, n_bars, lambda bar: traded[bar] * share(2 * close[bar] - low[bar] - high[bar], high[bar] - low[bar], 0))
    flow = lambda bar: share(sum(window(placed, bar, 20)), sum(window(traded, bar, 20)), 0.0)
    adosc = talib.ADOSC(high, low, close, traded, 3, 10)
    out |= {"AD": talib.AD(high, low, close, traded), "CMF_20": each(19, n_bars, flow)}
    out |= {"ADOSC_3_10": adosc, "ADOSC_5_15": talib.ADOSC(high, low, close, traded, 5, 15)}
    usual = lambda bar: sum(window(traded, bar, 10)) / 10
    out |= {"ADOSC_PCT_3_10": each(9, n_bars, lambda bar: 100 * share(adosc[bar], usual(bar), 0.0))}
    force = after(1, np.diff(close, prepend=np.nan) * traded, lambda known: ema(known, 13))
    money = after(1, close * traded, lambda known: ema(known, 13))
    out |= {"FORCE_13": force, "FORCE_PCT_13": each(13, n_bars, lambda bar: 100 * share(force[bar], money[bar], 0.0))}
    paid = talib.TYPPRICE(high, low, close) * traded
    vwap = lambda bar: share(sum(window(paid, bar, 20)), sum(window(traded, bar, 20)), close[bar])
    out |= {"VWAP_DIST_20": each(19, n_bars, lambda bar: 100 * (close[bar] / vwap(bar) - 1))}
    out |= {"DOLLAR_VOLUME_20": each(19, n_bars, lambda bar: sum(window(close * traded, bar, 20)) / 20)}
    return out


def price(bars):
    """Returns, the shape of a bar, the close among those before."""
    open_, high, low, close = (bars[name] for name in BARS[:4])
    n_bars = len(close)
    out = {f"RET_{n}": talib.ROC(close, n) for n in (1, 2, 3, 5, 10, 20, 60)}
    out |= {"GAP_PCT": each(1, n_bars, lambda bar: 100 * (open_[bar] / close[bar - 1] - 1))}
    out |= {"BODY_PCT": 100 * (close / open_ - 1)}
    of_range = lambda part, otherwise: each(0, n_bars, lambda bar: share(part[bar], high[bar] - low[bar], otherwise))
    out |= {"UPPER_WICK": of_range(high - np.maximum(open_, close), 0.0)}
    out |= {"LOWER_WICK": of_range(np.minimum(open_, close) - low, 0.0), "CLOSE_LOC": of_range(close - low, 0.5)}
    for n in (20, 70):
        out |= {f"DIST_HIGH_{n}": 100 * (close / talib.MAX(high, n) - 1)}
        out |= {f"DIST_LOW_{n}": 100 * (close / talib.MIN(low, n) - 1)}

    def z(bar):
        window = close[bar - 19 : bar + 1]
        return share(close[bar] - sum(window) / 20, 0.0 if np.ptp(window) == 0 else np.std(window, ddof=1), 0.0)

    def run(bar, most):
        signs = [np.sign(close[at] - close[at - 1]) for at in range(bar, bar - most, -1)]
        others = [back for back, sign in enumerate(signs) if sign != signs[0]]
        return signs[0] * (others[0] if others else most)

    inside = lambda bar: float(high[bar] <= high[bar - 1] and low[bar] >= low[bar - 1])
    out |= {"ZSCORE_20": each(19, n_bars, z), "INSIDE_BAR": each(1, n_bars, inside)}
    out |= {"CONSEC_UP": each(20, n_bars, lambda bar: run(bar, 20)), "CONSEC_UP_2": each(2, n_bars, lambda bar: run(bar, 2))}
    return out


def regime(bars):
    """The calendar of consecutive days from 1970-01-01, volatility, and a benchmark: the bars' own opens."""
    open_, close = bars["open"], bars["close"]
    n_bars = len(close)
    dates = [date.fromordinal(date(1970, 1, 1).toordinal() + bar) for bar in range(n_bars)]
    months = np.array([float(day.month) for day in dates])
    out = {"DAY_OF_WEEK": np.array([float(day.weekday()) for day in dates]), "MONTH": months}
    out |= {"MONTH_SIN": np.sin(2 * np.pi * months / 12), "MONTH_COS": np.cos(2 * np.pi * months / 12)}
    change = np.diff(np.log(close), prepend=np.nan)
    deviation = lambda bar, n: np.std(change[bar + 1 - n : bar + 1], ddof=1)
    out |= {"VOL_REGIME": each(60, n_bars, lambda bar: share(deviation(bar, 20), deviation(bar, 60), 1.0))}
    gained = lambda bar: 100 * (close[bar] / close[bar - 20] / (open_[bar] / open_[bar - 20]) - 1)
    out |= {"REL_STRENGTH_SPY_20": each(20, n_bars, gained)}
    for n in (60, 10):
        out |= {f"BETA_SPY_{n}": each(n, n_bars, lambda bar: together(close, open_, bar, n)[0])}
        out |= {f"CORR_SPY_{n}": each(n, n_bars, lambda bar: together(close, open_, bar, n)[1])}
    return out


def together(close, other, bar, n):
    """Slope and correlation of the last n returns, 0 where they do not change."""
    own, of_other = (np.array([x[at] / x[at - 1] - 1 for at in range(bar + 1 - n, bar + 1)]) for x in (close, other))
    if np.ptp(own) == 0 or np.ptp(of_other) == 0:
        return 0.0, 0.0
    covariance = np.cov(own, of_other)
    return covariance[0, 1] / covariance[1, 1], covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])


def features(bars):
    """The values of all features, by their name here."""
    return trend(bars) | momentum(bars) | volatility(bars) | volume(bars) | price(bars) | regime(bars)


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
