"""Makes the golden values of the spellings of TA-Lib and pandas-ta, with numbers that differ from each other.

    python3.12 -m venv venv && venv/bin/pip install TA-Lib==0.8.2 pandas-ta==0.4.71b0
    venv/bin/python host/pipeline/tests/golden/aliases.py

Writes host/pipeline/tests/golden/aliases.csv: bars, then one column per spelling. pandas-ta names its columns itself, so
its spellings are those that the library writes. The names of TA-Lib's columns have the library's own order of numbers.
The own formulas of pandas-ta are used where it calls TA-Lib with other numbers than its documentation states: its STOCH
then ignores smooth_k, its DMP and DMN are not divided by the range, and its ZS has another deviation. Averages that start
differently in the libraries agree after many bars, so only the last bars have values.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pandas_ta as ta
import talib

OUT = Path(__file__).with_name("aliases.csv")
N_BARS = 400
N_COMPARED = 40


def walk(seed):
    """Returns a random walk with whole bars around it."""
    rng = np.random.Generator(np.random.PCG64(seed))
    close = 100 * np.exp(np.cumsum(rng.normal(0.0003, 0.02, N_BARS)))
    open_ = close * np.exp(rng.normal(0, 0.008, N_BARS))
    high = np.maximum(open_, close) * np.exp(np.abs(rng.normal(0, 0.006, N_BARS)))
    low = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0, 0.006, N_BARS)))
    volume = np.round(rng.lognormal(14, 0.5, N_BARS))
    columns = {"open": open_, "high": high, "low": low, "close": close, "volume": volume}
    return pd.DataFrame(columns, index=pd.date_range("2020-01-01", periods=N_BARS))


def of_pandas_ta(bars):
    """Returns the columns that pandas-ta computes, under the names that it gives them."""
    high, low, close, volume = (bars[name] for name in ["high", "low", "close", "volume"])
    return [
        ta.macd(close, fast=5, slow=20, signal=7),
        # By default, the line of pandas-ta and TA-Lib has simple averages.
        ta.ppo(close, fast=5, slow=20, signal=7, mamode="ema", talib=False),
        ta.adx(high, low, close, length=10, talib=False)[["DMP_10", "DMN_10"]],
        ta.aroon(high, low, length=11),
        ta.supertrend(high, low, close, length=7, multiplier=2.5)[["SUPERT_7_2.5", "SUPERTd_7_2.5"]],
        ta.ichimoku(high, low, close, tenkan=7, kijun=22, senkou=44)[0][["ITS_7", "IKS_22"]],
        ta.stoch(high, low, close, k=14, d=5, smooth_k=3, talib=False)[["STOCHk_14_5_3", "STOCHd_14_5_3"]],
        ta.stochrsi(close, length=11, rsi_length=13, k=3, d=5, talib=False),
        ta.uo(high, low, close, fast=5, medium=12, slow=26),
        ta.tsi(close, fast=7, slow=21, signal=9),
        ta.ao(high, low, fast=4, slow=29),
        ta.atr(high, low, close, length=9),
        ta.natr(high, low, close, length=9),
        ta.bbands(close, length=15, lower_std=2.5, upper_std=1.5)[["BBL_15_2.5_1.5", "BBU_15_2.5_1.5"]],
        ta.bbands(close, length=15, lower_std=2.5, upper_std=2.5)[["BBB_15_2.5_2.5", "BBP_15_2.5_2.5"]],
        ta.kc(high, low, close, length=15, scalar=2.5)[["KCUe_15_2.5", "KCLe_15_2.5"]],
        ta.donchian(high, low, lower_length=10, upper_length=20)[["DCL_10_20", "DCU_10_20"]],
        ta.ad(high, low, close, volume),
        ta.adosc(high, low, close, volume, fast=4, slow=9),
        ta.efi(close, volume, length=9),
        ta.mfi(high, low, close, volume, length=9),
        ta.cmf(high, low, close, volume, length=9),
        ta.roc(close, length=7),
        ta.mom(close, length=7),
        ta.zscore(close, length=15, talib=False),
        ta.willr(high, low, close, length=11),
        ta.cci(high, low, close, length=11),
        ta.rsi(close, length=9),
        ta.sma(close, length=9),
        ta.ema(close, length=9),
    ]


def of_talib(bars):
    """Returns the columns that TA-Lib computes, with the numbers in the order of its parameters."""
    high, low, close = (bars[name].to_numpy() for name in ["high", "low", "close"])
    # fastk_period, slowk_period, slowk_matype, slowd_period, slowd_matype
    slow_k, slow_d = talib.STOCH(high, low, close, 14, 5, 0, 3, 0)
    # timeperiod, fastk_period, fastd_period, fastd_matype
    fast_k, _ = talib.STOCHRSI(close, 13, 5, 3, 0)
    # fastperiod, slowperiod, signalperiod
    line, signal, histogram = talib.MACD(close, 6, 21, 8)
    # timeperiod, nbdevup, nbdevdn
    upper, _, lower = talib.BBANDS(close, 15, 2.5, 1.5, 0)
    down, up = talib.AROON(high, low, 12)
    return {
        "STOCH_14_5_3": slow_k,
        "SLOWK_14_5_3": slow_k,
        "STOCH_SLOWK_14_5_3": slow_k,
        "SLOWD_14_5_3": slow_d,
        "STOCH_SLOWD_14_5_3": slow_d,
        "STOCHRSI_13_5_3": fast_k,
        "MACD_6_21_8": line,
        "MACDSIGNAL_6_21_8": signal,
        "MACDHIST_6_21_8": histogram,
        "BBANDS_UPPER_15_2.5_1.5": upper,
        "BBANDS_LOWER_15_2.5_1.5": lower,
        "SAR_0.03_0.15": talib.SAR(high, low, 0.03, 0.15),
        "MA_11": talib.MA(close, 11),
        "MOM_11": talib.MOM(close, 11),
        "ROC_11": talib.ROC(close, 11),
        "AROON_UP_12": up,
        "AROON_DOWN_12": down,
        "AROONOSC_12": talib.AROONOSC(high, low, 12),
        "ULTOSC_6_13_27": talib.ULTOSC(high, low, close, 6, 13, 27),
        "WILLR_12": talib.WILLR(high, low, close, 12),
        "ADOSC_5_11": talib.ADOSC(high, low, close, bars["volume"].to_numpy(), 5, 11),
    }


bars = walk(15)
spellings = pd.concat(of_pandas_ta(bars) + [pd.DataFrame(of_talib(bars), index=bars.index)], axis=1)
spellings.iloc[: N_BARS - N_COMPARED] = np.nan
pd.concat([bars, spellings], axis=1).to_csv(OUT, index=False, float_format="%.17g")
