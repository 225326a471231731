//! Volume features: the size of the traded volume, and its relation to rises and falls.

use crate::features::kind::{CHANGES, Computation, Defaults, FeatureKind, LONGER, NONE, Shared, WINDOW, model, output};
use crate::features::ohlcv::OhlcvView;
use crate::features::window::{deviation, direction, each_bar, ema, from_bar, ratio, sma, sum, zip};

static OSCILLATOR: Shared = Shared { compute: oscillator };
static FORCE: Shared = Shared { compute: force };
static USUAL_VOLUME: Shared = Shared { compute: usual_volume };

pub(in crate::features) static KINDS: &[FeatureKind] = &[
    model("OBV", &[], "on-balance volume, summed from the first bar on", NONE, obv)
        .level(Some("OBV_SLOPE"))
        .defined("OBV[1] + sign(close − close[1])·volume", "shares"),
    model("OBV_SLOPE", &[20], "change of OBV relative to the volume traded", CHANGES, obv_slope)
        .fallback("0 if there is no volume")
        .down_to_one()
        .defined("100·(OBV − OBV[n]) / Σ_n(volume)", "%"),
    model("MFI", &[14], "share of the money flow on bars whose typical price rises", CHANGES, mfi)
        .fallback("0 if no money flowed")
        .defined(
            "100·Σ_n(typical·volume at rises of typical) / Σ_n(typical·volume at rises and falls of typical)",
            "%",
        ),
    output("VOLUME_RATIO", &[20], "volume relative to its mean", WINDOW, Computation::Output(&USUAL_VOLUME, 0))
        .fallback("1 if the mean is 0")
        .defined("volume / SMA_n(volume)", "ratio"),
    output(
        "VOLUME_Z",
        &[20],
        "distance of the volume from its mean, measured in standard deviations",
        WINDOW,
        Computation::Output(&USUAL_VOLUME, 1),
    )
    .fallback("0 if the deviation is 0")
    .defined("(volume − SMA_n(volume)) / σ_n(volume), population deviation", "deviations"),
    model("AD", &[], "Chaikin's accumulation and distribution, summed from the first bar on", NONE, accumulation)
        .fallback("a bar whose range is 0 adds 0")
        .level(Some("CMF"))
        .defined("AD[1] + volume·((close − low) − (high − close)) / (high − low)", "shares"),
    model("CMF", &[20], "Chaikin's money flow", WINDOW, cmf)
        .fallback("0 if there is no volume")
        .defined("Σ_n(volume·((close − low) − (high − close)) / (high − low)) / Σ_n(volume)", "-1 to 1"),
    output("ADOSC", &[3, 10], "Chaikin's oscillator", LONGER, Computation::Output(&OSCILLATOR, 0))
        .level(Some("ADOSC_PCT"))
        .defined("EMA_n(AD) − EMA_m(AD), both starting from the first AD", "shares"),
    output(
        "ADOSC_PCT",
        &[3, 10],
        "Chaikin's oscillator relative to the mean volume",
        LONGER,
        Computation::Output(&OSCILLATOR, 1),
    )
    .fallback("0 if there is no volume")
    .defined("100·ADOSC_n_m / SMA(volume) over the longer of n and m", "%"),
    output("FORCE", &[13], "Elder's force index", CHANGES, Computation::Output(&FORCE, 0))
        .level(Some("FORCE_PCT"))
        .defined("EMA_n((close − close[1])·volume)", "money"),
    output(
        "FORCE_PCT",
        &[13],
        "force index relative to the mean money traded",
        CHANGES,
        Computation::Output(&FORCE, 1),
    )
    .fallback("0 if there is no volume")
    .defined("100·FORCE_n / EMA_n(close·volume)", "%"),
    model("VWAP_DIST", &[20], "distance of the close from the volume-weighted mean price", WINDOW, vwap_dist)
        .fallback("0 if there is no volume")
        .down_to_one()
        .defined("100·(close·Σ_n(volume) / Σ_n(typical·volume) − 1)", "%"),
    model("DOLLAR_VOLUME", &[20], "mean money traded per bar", WINDOW, dollar_volume)
        .down_to_one()
        .level(Some("VOLUME_RATIO"))
        .defined("SMA_n(close·volume)", "money"),
];

pub(in crate::features) static DEFAULTS: Defaults = &[
    ("OBV", &[]),
    ("OBV_SLOPE", &[20]),
    ("MFI", &[14]),
    ("VOLUME_RATIO", &[20]),
    ("VOLUME_Z", &[20]),
    ("CMF", &[20]),
    ("ADOSC", &[3, 10]),
    ("ADOSC_PCT", &[3, 10]),
    ("FORCE", &[13]),
    ("FORCE_PCT", &[13]),
    ("VWAP_DIST", &[20]),
    ("DOLLAR_VOLUME", &[20]),
];

/// Computes on-balance volume. The level of OBV depends on the first bar of the series. Source:
/// TA-Lib's OBV.
fn obv(prices: &OhlcvView, _: &[usize]) -> Vec<f64> {
    let mut total = 0.0;
    each_bar(0, prices.close.len(), |bar| {
        // As in TA-Lib, the first bar is treated as a rise.
        total += if bar == 0 { prices.volume[0] } else { signed_volume(prices, bar) };
        total
    })
}

/// Computes the change of on-balance volume over `n` bars, in percent of the volume traded in them.
fn obv_slope(prices: &OhlcvView, p: &[usize]) -> Vec<f64> {
    let signed = each_bar(1, prices.close.len(), |bar| signed_volume(prices, bar));
    let signed = from_bar(1, &signed, |signed| sum(signed, p[0]));
    let traded = from_bar(1, prices.volume, |volume| sum(volume, p[0]));
    // The scale of `ratio` is 0, because only a sum of exactly 0 has no ratio. A small sum of
    // volumes is not rounding noise.
    zip(&signed, &traded, |signed, traded| 100.0 * ratio(signed, traded, 0.0, 0.0))
}

/// Returns the volume of a bar other than the first, with the sign of the change of its close.
fn signed_volume(prices: &OhlcvView, bar: usize) -> f64 {
    direction(prices.close[bar - 1], prices.close[bar]) * prices.volume[bar]
}

/// Computes the share of the money that was traded at rising typical prices. Source: TA-Lib's MFI.
fn mfi(prices: &OhlcvView, p: &[usize]) -> Vec<f64> {
    let typical = prices.typical();
    let flow = |bar: usize| direction(typical[bar - 1], typical[bar]) * typical[bar] * prices.volume[bar];
    let flowed = |size: fn(f64) -> f64| {
        let flows = each_bar(1, typical.len(), |bar| size(flow(bar)));
        from_bar(1, &flows, |flows| sum(flows, p[0]))
    };
    let inflows = flowed(|flow| flow.max(0.0));
    let all = flowed(f64::abs);
    // TA-Lib returns 0 if the sum is below 1. With such a limit, the value would depend on the
    // currency and on the unit of the volume.
    zip(&inflows, &all, |inflows, all| ratio(100.0 * inflows, all, 0.0, 0.0))
}

/// Computes the volume relative to its mean, and its distance from the mean in standard deviations.
fn usual_volume(prices: &OhlcvView, p: &[usize]) -> Vec<Vec<f64>> {
    let mean = sma(prices.volume, p[0]);
    let deviation = deviation(prices.volume, p[0], 0);
    let above = zip(prices.volume, &mean, |volume, mean| volume - mean);
    let z = |bar: usize| ratio(above[bar], deviation[bar], mean[bar], 0.0);
    vec![zip(prices.volume, &mean, |volume, mean| ratio(volume, mean, 0.0, 1.0)), each_bar(0, prices.close.len(), z)]
}

/// Computes the volume of each bar, weighted by the position of the close: 1 at the high, 0 in the
/// middle, -1 at the low.
fn placed_volume(prices: &OhlcvView) -> Vec<f64> {
    let placed = |bar: usize| {
        let high = prices.high[bar];
        let low = prices.low[bar];
        let close = prices.close[bar];
        ratio((close - low) - (high - close), high - low, close, 0.0) * prices.volume[bar]
    };
    each_bar(0, prices.close.len(), placed)
}

/// Computes accumulation and distribution. Source: TA-Lib's AD.
fn accumulation(prices: &OhlcvView, _: &[usize]) -> Vec<f64> {
    let mut total = 0.0;
    let placed = placed_volume(prices);
    each_bar(0, placed.len(), |bar| {
        total += placed[bar];
        total
    })
}

fn cmf(prices: &OhlcvView, p: &[usize]) -> Vec<f64> {
    zip(&sum(&placed_volume(prices), p[0]), &sum(prices.volume, p[0]), |placed, all| ratio(placed, all, 0.0, 0.0))
}

/// Computes the difference of two averages of AD, and that difference in percent of the mean
/// volume. Source: TA-Lib's ADOSC.
///
/// The averages themselves are not computed, only their distances from AD. Unlike AD, a distance
/// does not grow with the number of bars, so it keeps its precision.
fn oscillator(prices: &OhlcvView, p: &[usize]) -> Vec<Vec<f64>> {
    let placed = placed_volume(prices);
    let distances = [p[0], p[1]].map(|n| distances(&placed, n));
    let mut difference = zip(&distances[1], &distances[0], |slow, fast| slow - fast);
    let hidden = LONGER(p).min(difference.len());
    difference[..hidden].fill(f64::NAN);
    let usual = sma(prices.volume, p[0].max(p[1]));
    let percent = zip(&difference, &usual, |difference, usual| 100.0 * ratio(difference, usual, 0.0, 0.0));
    vec![difference, percent]
}

/// Computes the distance of a running total from its exponential average, which starts at the first
/// total.
///
/// * `steps`: changes of the total, one per bar.
fn distances(steps: &[f64], n: usize) -> Vec<f64> {
    let kept = 1.0 - 2.0 / (n as f64 + 1.0);
    let mut distance = 0.0;
    each_bar(0, steps.len(), |bar| {
        // The first total equals its average, so its distance is 0.
        if bar > 0 {
            distance = (distance + steps[bar]) * kept;
        }
        distance
    })
}

/// Computes the force index, in money and in percent of the mean money traded.
fn force(prices: &OhlcvView, p: &[usize]) -> Vec<Vec<f64>> {
    let moved = each_bar(1, prices.close.len(), |bar| (prices.close[bar] - prices.close[bar - 1]) * prices.volume[bar]);
    let force = from_bar(1, &moved, |moved| ema(moved, p[0]));
    let traded = from_bar(1, &money(prices), |money| ema(money, p[0]));
    let percent = zip(&force, &traded, |force, traded| 100.0 * ratio(force, traded, 0.0, 0.0));
    vec![force, percent]
}

/// Computes the money traded in each bar, at its close.
fn money(prices: &OhlcvView) -> Vec<f64> {
    zip(prices.close, prices.volume, |close, volume| close * volume)
}

fn vwap_dist(prices: &OhlcvView, p: &[usize]) -> Vec<f64> {
    let paid = sum(&zip(&prices.typical(), prices.volume, |typical, volume| typical * volume), p[0]);
    let traded = sum(prices.volume, p[0]);
    let distance = |bar: usize| {
        let mean = ratio(paid[bar], traded[bar], 0.0, prices.close[bar]);
        100.0 * (prices.close[bar] / mean - 1.0)
    };
    each_bar(0, prices.close.len(), distance)
}

fn dollar_volume(prices: &OhlcvView, p: &[usize]) -> Vec<f64> {
    sma(&money(prices), p[0])
}
