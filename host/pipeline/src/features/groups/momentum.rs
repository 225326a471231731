//! Momentum features: the position of the close in its recent range, and the relation of gains to
//! losses.

mod oscillators;
mod range;
mod strength;

use self::{
    oscillators::{AWESOME, cci, mom, ultosc},
    range::{STOCHASTIC, STOCHASTIC_STRENGTH, stochastic_strength_warm_up, stochastic_warm_up, willr},
    strength::{TRUE_STRENGTH, cmo, rsi, true_strength_signal_warm_up, true_strength_warm_up},
};
use crate::features::kind::{CHANGES, Computation::Output, Defaults, FeatureKind, LONGER, WINDOW, model, output};

pub(in crate::features) static KINDS: &[FeatureKind] = &[
    model("RSI", &[14], "Wilder's relative strength, 0 to 100", CHANGES, rsi)
        .fallback("0 if the close did not move")
        .defined("100·W(gain) / (W(gain) + W(loss)), W = Wilder's average over n changes of the close", "%"),
    output(
        "STOCH_K",
        &[14, 3, 3],
        "smoothed position of the close in its range",
        stochastic_warm_up,
        Output(&STOCHASTIC, 0),
    )
    .fallback("0 if the range is 0")
    .defined("SMA_m of 100·(close − lowest low) / (highest high − lowest low), lowest and highest of n bars", "%")
    .shown(0)
    .down_to_one(),
    output("STOCH_D", &[14, 3, 3], "average of STOCH_K", stochastic_warm_up, Output(&STOCHASTIC, 1))
        .defined("SMA_k(STOCH_K)", "%")
        .shown(0)
        .down_to_one(),
    output(
        "STOCHRSI_K",
        &[14, 14, 3, 3],
        "smoothed position of RSI in its own range",
        stochastic_strength_warm_up,
        Output(&STOCHASTIC_STRENGTH, 0),
    )
    .fallback("0 if the range is below 0.01")
    .defined("SMA_k of 100·(R − lowest R) / (highest R − lowest R), R = RSI_n, lowest and highest of m bars; TA-Lib's fast line has k = 1", "%")
    .shown(0)
    .down_to_one(),
    output(
        "STOCHRSI_D",
        &[14, 14, 3, 3],
        "average of STOCHRSI_K",
        stochastic_strength_warm_up,
        Output(&STOCHASTIC_STRENGTH, 1),
    )
    .defined("SMA_j(STOCHRSI_K), j the fourth parameter", "%")
    .shown(0)
    .down_to_one(),
    model("WILLR", &[14], "Williams' %R, -100 to 0", WINDOW, willr)
        .fallback("0 if the range is 0")
        .defined("100·(close − highest high) / (highest high − lowest low), highest and lowest of n bars", "%"),
    model("CCI", &[20], "distance of the typical price from its mean, measured in mean deviations", WINDOW, cci)
        .fallback("0 if the deviation is 0")
        .defined("(T − SMA_n(T)) / (0.015·mean |T − SMA_n(T)|), T = (high + low + close)/3", "0.015 mean deviations"),
    model("CMO", &[14], "Chande's momentum, -100 to 100", CHANGES, cmo)
        .fallback("0 if the close did not move")
        .defined("100·(W(gain) − W(loss)) / (W(gain) + W(loss)), W = Wilder's average over n changes of the close; equals 2·RSI_n − 100 unless the close did not move", "%")
        // CMO is a linear function of RSI, so models receive RSI instead. Two equivalent columns in
        // a model would share their importance.
        .level(Some("RSI")),
    model("MOM", &[10], "change of the close over n bars", CHANGES, mom)
        .defined("close − close[n]", "price")
        .down_to_one()
        .level(Some("RET")),
    model("ULTOSC", &[7, 14, 28], "buying pressure relative to the true range, over three windows", LONGEST, ultosc)
        .defined(
            "100·(4·B_n/T_n + 2·B_m/T_m + B_k/T_k) / 7, B_n and T_n are the sums over n bars of close − min(low, close[1]) and of the true range; the three numbers are sorted first; a window whose range is 0 adds 0",
            "%",
        )
        .shown(0)
        .down_to_one(),
    output(
        "TSI",
        &[25, 13, 13],
        "true strength, -100 to 100",
        true_strength_warm_up,
        Output(&TRUE_STRENGTH, 0),
    )
    .fallback("0 if the close did not move")
    .defined("100·EMA_m(EMA_n(c)) / EMA_m(EMA_n(|c|)), c = change of the close", "%")
    .shown(0)
    .down_to_one(),
    output("TSI_SIGNAL", &[25, 13, 13], "average of TSI", true_strength_signal_warm_up, Output(&TRUE_STRENGTH, 1))
        .defined("EMA_k(TSI)", "%")
        .shown(0)
        .down_to_one(),
    output("AO", &[5, 34], "awesome oscillator: fast minus slow mean of the bars' midpoints", LONGER, Output(&AWESOME, 0))
        .defined("SMA_n(M) − SMA_m(M), M = (high + low)/2", "price")
        .shown(0)
        .level(Some("AO_PCT")),
    output("AO_PCT", &[5, 34], "awesome oscillator in % of the slow mean", LONGER, Output(&AWESOME, 1))
        .defined("100·(SMA_n(M) / SMA_m(M) − 1), M = (high + low)/2", "%")
        .shown(0),
];

pub(in crate::features) static DEFAULTS: Defaults = &[
    ("RSI", &[2]),
    ("RSI", &[7]),
    ("RSI", &[14]),
    ("RSI", &[21]),
    ("STOCH_K", &[]),
    ("STOCH_D", &[]),
    ("STOCHRSI_K", &[]),
    ("STOCHRSI_D", &[]),
    ("WILLR", &[14]),
    ("CCI", &[20]),
    ("CMO", &[14]),
    ("MOM", &[10]),
    ("ULTOSC", &[]),
    ("TSI", &[]),
    ("AO", &[]),
    ("AO_PCT", &[]),
];

/// Warm-up of the longest of three windows of changes.
const LONGEST: fn(&[usize]) -> usize = |p| p[0].max(p[1]).max(p[2]);
