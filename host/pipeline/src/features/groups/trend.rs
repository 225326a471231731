//! Trend features: averages and their crossings, directional movement, channels, trailing stops.

mod averages;
mod convergence;
mod directional;
mod line;
mod range;
mod reversal;

use self::{
    averages::{EXPONENTIAL, SIMPLE, ema_cross, sma_cross, trix},
    convergence::{MACD, PPO, line_warm_up, signal_warm_up},
    directional::DIRECTIONAL,
    line::LINE,
    range::{AROON, ICHIMOKU_LINE, cloud_dist, cloud_warm_up},
    reversal::{PARABOLIC, SUPERTREND},
};
use crate::features::kind::{CHANGES, Computation::Output, Defaults, FeatureKind, LONGER, ONE, WINDOW, model, output};

pub(in crate::features) static KINDS: &[FeatureKind] = &[
    output("SMA", &[20], "mean of the last n closes", WINDOW, Output(&SIMPLE, 0))
        .defined("SMA_n = mean(close, n bars)", "price")
        .level(Some("PRICE_TO_SMA")),
    output("EMA", &[21], "exponential average of closes, starting from the mean of the first n", WINDOW, Output(&EXPONENTIAL, 0))
        .defined("EMA += 2/(n + 1)·(close − EMA); starts as mean(close, first n bars)", "price")
        .level(Some("PRICE_TO_EMA")),
    output("PRICE_TO_SMA", &[20], "distance of the close from its SMA", WINDOW, Output(&SIMPLE, 1))
        .defined("100·(close / SMA_n − 1)", "%"),
    output("PRICE_TO_EMA", &[21], "distance of the close from its EMA", WINDOW, Output(&EXPONENTIAL, 1))
        .defined("100·(close / EMA_n − 1)", "%"),
    model("SMA_CROSS", &[20, 50], "distance of the fast SMA from the slow SMA", LONGER, sma_cross)
        .defined("100·(SMA_n / SMA_m − 1)", "%"),
    model("EMA_CROSS", &[8, 21], "distance of the fast EMA from the slow EMA", LONGER, ema_cross)
        .defined("100·(EMA_n / EMA_m − 1)", "%"),
    output("MACD_LINE", &[12, 26, 9], "fast EMA minus slow EMA", signal_warm_up, Output(&MACD, 0))
        .defined("EMA_n − EMA_m; at bar m they start as the means of the last n and m closes; the smaller of n and m is the fast one", "price")
        .shown(0)
        .level(Some("PPO_LINE")),
    output("MACD_SIGNAL", &[12, 26, 9], "average of the MACD line", signal_warm_up, Output(&MACD, 1))
        .defined("EMA_k(MACD_LINE)", "price")
        .shown(0)
        .level(Some("PPO_SIGNAL")),
    output("MACD_HIST", &[12, 26, 9], "MACD line minus its signal", signal_warm_up, Output(&MACD, 2))
        .defined("MACD_LINE − MACD_SIGNAL", "price")
        .shown(0)
        .level(Some("PPO_HIST")),
    output("PPO_LINE", &[12, 26, 9], "MACD line in % of the slow EMA", line_warm_up, Output(&PPO, 0))
        .defined("100·(EMA_n / EMA_m − 1), each seeded by its own first closes; the smaller of n and m is the fast one; equals EMA_CROSS_n_m for n < m", "%")
        .shown(0),
    output("PPO_SIGNAL", &[12, 26, 9], "average of the PPO line", signal_warm_up, Output(&PPO, 1))
        .defined("EMA_k(PPO_LINE)", "%")
        .shown(0),
    output("PPO_HIST", &[12, 26, 9], "PPO line minus its signal", signal_warm_up, Output(&PPO, 2))
        .defined("PPO_LINE − PPO_SIGNAL", "%")
        .shown(0),
    output(
        "ADX",
        &[14],
        "strength of the trend, 0 to 100",
        adx_warm_up,
        Output(&DIRECTIONAL, 0),
    )
    .fallback("0 while no price has moved")
    .defined("Wilder's average over n of 100·|PLUS_DI − MINUS_DI| / (PLUS_DI + MINUS_DI); unchanged while both are 0", "%"),
    output("PLUS_DI", &[14], "upward movement relative to the true range", CHANGES, Output(&DIRECTIONAL, 1))
        .fallback("0 if the range is 0")
        .defined("100·W(high − high[1] if it is the larger movement and > 0, else 0) / W(true range); W += x − W/n", "%"),
    output("MINUS_DI", &[14], "downward movement relative to the true range", CHANGES, Output(&DIRECTIONAL, 2))
        .fallback("0 if the range is 0")
        .defined("100·W(low[1] − low if it is the larger movement and > 0, else 0) / W(true range); W += x − W/n", "%"),
    output("DI_DIFF", &[14], "upward minus downward movement", CHANGES, Output(&DIRECTIONAL, 3))
        .fallback("0 if the range is 0")
        .defined("PLUS_DI_n − MINUS_DI_n", "%"),
    output("AROON_UP", &[25], "recency of the highest high: 100 if it is at this bar, 0 if it is n bars earlier", CHANGES, Output(&AROON, 0))
        .defined("100·(n − bars since the latest highest high of n + 1 bars) / n", "%")
        .down_to_one(),
    output("AROON_DOWN", &[25], "recency of the lowest low: 100 if it is at this bar, 0 if it is n bars earlier", CHANGES, Output(&AROON, 1))
        .defined("100·(n − bars since the latest lowest low of n + 1 bars) / n", "%")
        .down_to_one(),
    output("AROON_OSC", &[25], "recency of the highest high minus recency of the lowest low", CHANGES, Output(&AROON, 2))
        .defined("AROON_UP_n − AROON_DOWN_n", "%")
        .down_to_one(),
    output("PSAR", &[2, 20], "Wilder's parabolic stop", ONE, Output(&PARABOLIC, 0))
        .defined("stop += a·(extreme − stop); a starts at n and grows by n up to m; the stop reverses when a bar reaches it", "price")
        .shown(0)
        .in_hundredths(0)
        .level(Some("PSAR_DIR")),
    output("PSAR_DIR", &[2, 20], "side of the parabolic stop on which the close is", ONE, Output(&PARABOLIC, 1))
        .defined("1 if close > PSAR, -1 if close < PSAR, 0 if they are equal", "-1, 0, 1")
        .shown(0)
        .in_hundredths(0),
    output("SUPERTREND", &[10, 300], "band that trails the price", CHANGES, Output(&SUPERTREND, 0))
        .defined("below the price (high + low)/2 − m·ATR_n, above it (high + low)/2 + m·ATR_n; the band moves only towards the price until a close is beyond it", "price")
        .down_to_one()
        .in_hundredths(1)
        .level(Some("SUPERTREND_DIR")),
    output("SUPERTREND_DIR", &[10, 300], "side of the band on which the price is", CHANGES, Output(&SUPERTREND, 1))
        .defined("1 until close < lower band, -1 until close > upper band; starts with 1", "-1, 1")
        .down_to_one()
        .in_hundredths(1),
    model("TRIX", &[15], "change of a triple exponential average from bar to bar", trix_warm_up, trix)
        .defined("100·(E / E[1] − 1), E = EMA_n(EMA_n(EMA_n(close)))", "%")
        .down_to_one(),
    output("LINREG_SLOPE", &[20], "slope of the least-squares line through n closes", WINDOW, Output(&LINE, 0))
        .defined("100·b / close, b = least-squares slope of close on bar", "% per bar"),
    output("LINREG_R2", &[20], "share of the variance of n closes that a straight line explains", WINDOW, Output(&LINE, 1))
        .fallback("0 if the close did not move")
        .defined("squared correlation of close and bar over n bars", "0 to 1"),
    output("ICHIMOKU_TENKAN", &[9], "middle of the range of n bars", WINDOW, Output(&ICHIMOKU_LINE, 0))
        .defined("(highest high + lowest low of n bars) / 2", "price")
        .shown(0)
        .level(Some("ICHIMOKU_TENKAN_DIST")),
    output("ICHIMOKU_KIJUN", &[26], "middle of the range of n bars", WINDOW, Output(&ICHIMOKU_LINE, 0))
        .defined("(highest high + lowest low of n bars) / 2", "price")
        .shown(0)
        .level(Some("ICHIMOKU_KIJUN_DIST")),
    output("ICHIMOKU_TENKAN_DIST", &[9], "distance of the close from the tenkan line", WINDOW, Output(&ICHIMOKU_LINE, 1))
        .defined("100·(close / ICHIMOKU_TENKAN_n − 1)", "%")
        .shown(0),
    output("ICHIMOKU_KIJUN_DIST", &[26], "distance of the close from the kijun line", WINDOW, Output(&ICHIMOKU_LINE, 1))
        .defined("100·(close / ICHIMOKU_KIJUN_n − 1)", "%")
        .shown(0),
    model("ICHIMOKU_CLOUD_DIST", &[9, 26, 52], "distance of the close from the cloud, 0 within it", cloud_warm_up, cloud_dist)
        .defined(
            "100·(close / nearest edge − 1); the edges are (TENKAN_n + KIJUN_m)/2 and the middle of the range of k bars, both as of m bars earlier",
            "%",
        )
        .shown(0),
];

pub(in crate::features) static DEFAULTS: Defaults = &[
    ("SMA", &[10]),
    ("SMA", &[20]),
    ("SMA", &[50]),
    ("SMA", &[100]),
    ("SMA", &[200]),
    ("EMA", &[8]),
    ("EMA", &[12]),
    ("EMA", &[21]),
    ("EMA", &[26]),
    ("EMA", &[50]),
    ("EMA", &[200]),
    ("PRICE_TO_SMA", &[20]),
    ("PRICE_TO_SMA", &[50]),
    ("PRICE_TO_SMA", &[200]),
    ("PRICE_TO_EMA", &[21]),
    ("EMA_CROSS", &[8, 21]),
    ("EMA_CROSS", &[12, 26]),
    ("SMA_CROSS", &[20, 50]),
    ("SMA_CROSS", &[50, 200]),
    ("MACD_LINE", &[]),
    ("MACD_SIGNAL", &[]),
    ("MACD_HIST", &[]),
    ("PPO_SIGNAL", &[]),
    ("PPO_HIST", &[]),
    ("ADX", &[14]),
    ("PLUS_DI", &[14]),
    ("MINUS_DI", &[14]),
    ("DI_DIFF", &[14]),
    ("AROON_UP", &[25]),
    ("AROON_DOWN", &[25]),
    ("AROON_OSC", &[25]),
    ("PSAR_DIR", &[]),
    ("SUPERTREND_DIR", &[10, 300]),
    ("TRIX", &[15]),
    ("LINREG_SLOPE", &[20]),
    ("LINREG_R2", &[20]),
    ("ICHIMOKU_TENKAN", &[]),
    ("ICHIMOKU_KIJUN", &[]),
    ("ICHIMOKU_TENKAN_DIST", &[]),
    ("ICHIMOKU_KIJUN_DIST", &[]),
    ("ICHIMOKU_CLOUD_DIST", &[]),
];

fn adx_warm_up(p: &[usize]) -> usize {
    2 * p[0] - 1
}

fn trix_warm_up(p: &[usize]) -> usize {
    3 * (p[0] - 1) + 1
}
