//! Where prices go: averages and their crossings, directional movement, channels, trailing stops.

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
use crate::features::kind::{CHANGES, Computation::Output, Defaults, Kind, LONGER, ONE, WINDOW, model, output};

pub(in crate::features) static KINDS: &[Kind] = &[
    output("SMA", &[20], "mean of the last n closes", WINDOW, Output(&SIMPLE, 0))
        .defined("SMA_n = mean(close, n bars)", "price")
        .level(Some("PRICE_TO_SMA")),
    output("EMA", &[21], "exponential average of closes, seeded by the first n", WINDOW, Output(&EXPONENTIAL, 0))
        .defined("EMA += 2/(n + 1)·(close − EMA); starts as mean(close, first n bars)", "price")
        .level(Some("PRICE_TO_EMA")),
    output("PRICE_TO_SMA", &[20], "close above its SMA", WINDOW, Output(&SIMPLE, 1))
        .defined("100·(close / SMA_n − 1)", "%"),
    output("PRICE_TO_EMA", &[21], "close above its EMA", WINDOW, Output(&EXPONENTIAL, 1))
        .defined("100·(close / EMA_n − 1)", "%"),
    model("SMA_CROSS", &[20, 50], "fast SMA above the slow one", LONGER, sma_cross)
        .defined("100·(SMA_n / SMA_m − 1)", "%"),
    model("EMA_CROSS", &[8, 21], "fast EMA above the slow one", LONGER, ema_cross)
        .defined("100·(EMA_n / EMA_m − 1)", "%"),
    output("MACD_LINE", &[12, 26, 9], "fast EMA less slow EMA", signal_warm_up, Output(&MACD, 0))
        .defined("EMA_n − EMA_m, both seeded up to bar m; the smaller of n and m is the fast one", "price")
        .shown(0)
        .level(Some("PPO_LINE")),
    output("MACD_SIGNAL", &[12, 26, 9], "average of the MACD line", signal_warm_up, Output(&MACD, 1))
        .defined("EMA_k(MACD_LINE)", "price")
        .shown(0)
        .level(Some("PPO_SIGNAL")),
    output("MACD_HIST", &[12, 26, 9], "MACD line less its signal", signal_warm_up, Output(&MACD, 2))
        .defined("MACD_LINE − MACD_SIGNAL", "price")
        .shown(0)
        .level(Some("PPO_HIST")),
    output("PPO_LINE", &[12, 26, 9], "MACD line in % of the slow EMA", line_warm_up, Output(&PPO, 0))
        .defined("100·(EMA_n / EMA_m − 1), each seeded by its own first closes, the smaller of n and m first; EMA_CROSS_n_m with a signal", "%")
        .shown(0),
    output("PPO_SIGNAL", &[12, 26, 9], "average of the PPO line", signal_warm_up, Output(&PPO, 1))
        .defined("EMA_k(PPO_LINE)", "%")
        .shown(0),
    output("PPO_HIST", &[12, 26, 9], "PPO line less its signal", signal_warm_up, Output(&PPO, 2))
        .defined("PPO_LINE − PPO_SIGNAL", "%")
        .shown(0),
    output(
        "ADX",
        &[14],
        "strength of the trend, 0 to 100",
        adx_warm_up,
        Output(&DIRECTIONAL, 0),
    )
    .without("0 when nothing ever moved")
    .defined("Wilder's average over n of 100·|PLUS_DI − MINUS_DI| / (PLUS_DI + MINUS_DI); kept where both are 0", "%"),
    output("PLUS_DI", &[14], "movement up in its true range", CHANGES, Output(&DIRECTIONAL, 1))
        .without("0 without a range")
        .defined("100·W(high − high before, where it is the larger movement and > 0) / W(true range); W += x − W/n", "%"),
    output("MINUS_DI", &[14], "movement down in its true range", CHANGES, Output(&DIRECTIONAL, 2))
        .without("0 without a range")
        .defined("100·W(low before − low, where it is the larger movement and > 0) / W(true range); W += x − W/n", "%"),
    output("DI_DIFF", &[14], "movement up less movement down", CHANGES, Output(&DIRECTIONAL, 3))
        .without("0 without a range")
        .defined("PLUS_DI_n − MINUS_DI_n", "%"),
    output("AROON_UP", &[25], "how late the highest high came, 100 for this bar", CHANGES, Output(&AROON, 0))
        .defined("100·(n − bars since the latest highest high of n + 1 bars) / n", "%")
        .down_to_one(),
    output("AROON_DOWN", &[25], "how late the lowest low came, 100 for this bar", CHANGES, Output(&AROON, 1))
        .defined("100·(n − bars since the latest lowest low of n + 1 bars) / n", "%")
        .down_to_one(),
    output("AROON_OSC", &[25], "whether the high or the low came later", CHANGES, Output(&AROON, 2))
        .defined("AROON_UP_n − AROON_DOWN_n", "%")
        .down_to_one(),
    output("PSAR", &[2, 20], "Wilder's parabolic stop", ONE, Output(&PARABOLIC, 0))
        .defined("stop += a·(extreme − stop), a from n by n up to m, at most m; turns when a bar reaches it", "price")
        .shown(0)
        .in_hundredths(0)
        .level(Some("PSAR_DIR")),
    output("PSAR_DIR", &[2, 20], "side of the parabolic stop that the close is on", ONE, Output(&PARABOLIC, 1))
        .defined("1 where close > PSAR, -1 where close < PSAR, 0 where they are equal", "-1, 0, 1")
        .shown(0)
        .in_hundredths(0),
    output("SUPERTREND", &[10, 300], "the band that trails the price", CHANGES, Output(&SUPERTREND, 0))
        .defined("(high + low)/2 − m·ATR_n below, + m·ATR_n above; moves towards the price until a close is beyond it", "price")
        .down_to_one()
        .in_hundredths(1)
        .level(Some("SUPERTREND_DIR")),
    output("SUPERTREND_DIR", &[10, 300], "side of the band that the price is on", CHANGES, Output(&SUPERTREND, 1))
        .defined("1 until close < lower band, -1 until close > upper band; starts with 1", "-1, 1")
        .down_to_one()
        .in_hundredths(1),
    model("TRIX", &[15], "change of a threefold average from bar to bar", trix_warm_up, trix)
        .defined("100·(E / E before − 1), E = EMA_n(EMA_n(EMA_n(close)))", "%")
        .down_to_one(),
    output("LINREG_SLOPE", &[20], "slope of the line through n closes", WINDOW, Output(&LINE, 0))
        .defined("100·b / close, b = slope of least squares of close on bar", "% a bar"),
    output("LINREG_R2", &[20], "how straight the way of n closes is", WINDOW, Output(&LINE, 1))
        .without("0 where nothing moved")
        .defined("squared correlation of close and bar over n bars", "0 to 1"),
    output("ICHIMOKU_TENKAN", &[9], "middle of the range of n bars", WINDOW, Output(&ICHIMOKU_LINE, 0))
        .defined("(highest high + lowest low of n bars) / 2", "price")
        .shown(0)
        .level(Some("ICHIMOKU_TENKAN_DIST")),
    output("ICHIMOKU_KIJUN", &[26], "middle of the range of n bars", WINDOW, Output(&ICHIMOKU_LINE, 0))
        .defined("(highest high + lowest low of n bars) / 2", "price")
        .shown(0)
        .level(Some("ICHIMOKU_KIJUN_DIST")),
    output("ICHIMOKU_TENKAN_DIST", &[9], "close above the tenkan line", WINDOW, Output(&ICHIMOKU_LINE, 1))
        .defined("100·(close / ICHIMOKU_TENKAN_n − 1)", "%")
        .shown(0),
    output("ICHIMOKU_KIJUN_DIST", &[26], "close above the kijun line", WINDOW, Output(&ICHIMOKU_LINE, 1))
        .defined("100·(close / ICHIMOKU_KIJUN_n − 1)", "%")
        .shown(0),
    model("ICHIMOKU_CLOUD_DIST", &[9, 26, 52], "close above or below the cloud, 0 within", cloud_warm_up, cloud_dist)
        .defined(
            "100·(close / nearest edge − 1); edges, of m bars ago: (TENKAN_n + KIJUN_m)/2 and the middle of the range of k bars",
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
