//! Traded volume: its relation to rises and falls, and its size.

use crate::features::kind::{CHANGES, Computation, Defaults, Kind, LONGER, NONE, Shared, WINDOW, model, output};
use crate::features::prices::Prices;
use crate::features::window::{deviation, direction, each_bar, ema, from, ratio, sma, sum, zip};

static OSCILLATOR: Shared = Shared { compute: oscillator };
static FORCE: Shared = Shared { compute: force };
static USUAL_VOLUME: Shared = Shared { compute: usual_volume };

pub(in crate::features) static KINDS: &[Kind] = &[
    model("OBV", &[], "on-balance volume, from the first bar on", NONE, obv)
        .level(Some("OBV_SLOPE"))
        .defined("OBV[1] + sign(close − close[1])·volume", "shares"),
    model("OBV_SLOPE", &[20], "change of OBV beside the volume traded", CHANGES, obv_slope)
        .without("0 without volume")
        .down_to_one()
        .defined("100·(OBV − OBV[n]) / Σ_n(volume)", "%"),
    model("MFI", &[14], "share of the money that came with rises", CHANGES, mfi)
        .without("0 where less than 1 flowed")
        .defined("100·Σ_n(typical·volume at rises of typical) / Σ_n(the same at rises and falls)", "%"),
    output("VOLUME_RATIO", &[20], "volume beside its mean", WINDOW, Computation::Output(&USUAL_VOLUME, 0))
        .without("1 where nothing was traded")
        .defined("volume / SMA_n(volume)", "ratio"),
    output("VOLUME_Z", &[20], "volume above its mean in deviations", WINDOW, Computation::Output(&USUAL_VOLUME, 1))
        .without("0 without any")
        .defined("(volume − SMA_n(volume)) / σ_n(volume), population deviation", "deviations"),
    model("AD", &[], "Chaikin's accumulation and distribution, from the first bar on", NONE, accumulation)
        .without("a bar without a range adds nothing")
        .level(Some("CMF"))
        .defined("AD[1] + volume·((close − low) − (high − close)) / (high − low)", "shares"),
    model("CMF", &[20], "Chaikin's money flow", WINDOW, cmf)
        .without("0 without volume")
        .defined("Σ_n(volume·((close − low) − (high − close)) / (high − low)) / Σ_n(volume)", "-1 to 1"),
    output("ADOSC", &[3, 10], "Chaikin's oscillator", LONGER, Computation::Output(&OSCILLATOR, 0))
        .level(Some("ADOSC_PCT"))
        .defined("EMA_n(AD) − EMA_m(AD), both seeded by the first AD", "shares"),
    output(
        "ADOSC_PCT",
        &[3, 10],
        "Chaikin's oscillator beside the mean volume",
        LONGER,
        Computation::Output(&OSCILLATOR, 1),
    )
    .without("0 without volume")
    .defined("100·ADOSC_n_m / SMA(volume) over the longer of n and m", "%"),
    output("FORCE", &[13], "Elder's force index", CHANGES, Computation::Output(&FORCE, 0))
        .level(Some("FORCE_PCT"))
        .defined("EMA_n((close − close[1])·volume)", "money"),
    output(
        "FORCE_PCT",
        &[13],
        "mean change of the close, weighted with the money traded",
        CHANGES,
        Computation::Output(&FORCE, 1),
    )
    .without("0 without volume")
    .defined("100·FORCE_n / EMA_n(close·volume)", "%"),
    model("VWAP_DIST", &[20], "close above the mean price by volume", WINDOW, vwap_dist)
        .without("0 without volume")
        .down_to_one()
        .defined("100·(close·Σ_n(volume) / Σ_n(typical·volume) − 1)", "%"),
    model("DOLLAR_VOLUME", &[20], "mean money traded a bar", WINDOW, dollar_volume)
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

/// On-balance volume: its level depends on where the bars start. Source: TA-Lib's OBV.
fn obv(prices: &Prices, _: &[usize]) -> Vec<f64> {
    let mut total = 0.0;
    each_bar(0, prices.close.len(), |bar| {
        // The first bar counts as a rise.
        total += if bar == 0 { prices.volume[0] } else { signed_volume(prices, bar) };
        total
    })
}

/// Change of on-balance volume over `n` bars in percent of the volume traded in them.
fn obv_slope(prices: &Prices, p: &[usize]) -> Vec<f64> {
    let signed = each_bar(1, prices.close.len(), |bar| signed_volume(prices, bar));
    let signed = from(1, &signed, |signed| sum(signed, p[0]));
    let traded = from(1, prices.volume, |volume| sum(volume, p[0]));
    zip(&signed, &traded, |signed, traded| 100.0 * ratio(signed, traded, 0.0, 0.0))
}

/// Volume of a bar after the first, with the sign of its close's change.
fn signed_volume(prices: &Prices, bar: usize) -> f64 {
    direction(prices.close[bar - 1], prices.close[bar]) * prices.volume[bar]
}

/// Share of money that flowed in at rising typical prices. Source: TA-Lib's MFI.
fn mfi(prices: &Prices, p: &[usize]) -> Vec<f64> {
    let typical = prices.typical();
    let flow = |bar: usize| direction(typical[bar - 1], typical[bar]) * typical[bar] * prices.volume[bar];
    let flowed = |size: fn(f64) -> f64| {
        let flows = each_bar(1, typical.len(), |bar| size(flow(bar)));
        from(1, &flows, |flows| sum(flows, p[0]))
    };
    let inflows = flowed(|flow| flow.max(0.0));
    let all = flowed(f64::abs);
    zip(&inflows, &all, |inflows, all| if all < 1.0 { 0.0 } else { 100.0 * inflows / all })
}

/// Volume relative to its mean, and above it in deviations.
fn usual_volume(prices: &Prices, p: &[usize]) -> Vec<Vec<f64>> {
    let mean = sma(prices.volume, p[0]);
    let deviation = deviation(prices.volume, p[0], 0);
    let above = zip(prices.volume, &mean, |volume, mean| volume - mean);
    let z = |bar: usize| ratio(above[bar], deviation[bar], mean[bar], 0.0);
    vec![zip(prices.volume, &mean, |volume, mean| ratio(volume, mean, 0.0, 1.0)), each_bar(0, prices.close.len(), z)]
}

/// Each bar's volume, weighted by the close's place in its bar: all of it at the high, none in the middle, its negative
/// at the low.
fn placed_volume(prices: &Prices) -> Vec<f64> {
    let placed = |bar: usize| {
        let high = prices.high[bar];
        let low = prices.low[bar];
        let close = prices.close[bar];
        ratio((close - low) - (high - close), high - low, close, 0.0) * prices.volume[bar]
    };
    each_bar(0, prices.close.len(), placed)
}

/// Source: TA-Lib's AD.
fn accumulation(prices: &Prices, _: &[usize]) -> Vec<f64> {
    let mut total = 0.0;
    let placed = placed_volume(prices);
    each_bar(0, placed.len(), |bar| {
        total += placed[bar];
        total
    })
}

fn cmf(prices: &Prices, p: &[usize]) -> Vec<f64> {
    zip(&sum(&placed_volume(prices), p[0]), &sum(prices.volume, p[0]), |placed, all| ratio(placed, all, 0.0, 0.0))
}

/// Two averages of AD, one less the other, and that in percent of the mean volume. Source: TA-Lib's ADOSC.
///
/// An average follows its series at a distance. That distance alone is kept, which does not grow with the total.
fn oscillator(prices: &Prices, p: &[usize]) -> Vec<Vec<f64>> {
    let placed = placed_volume(prices);
    let distances = [p[0], p[1]].map(|n| distances(&placed, n));
    let mut difference = zip(&distances[1], &distances[0], |slow, fast| slow - fast);
    let hidden = LONGER(p).min(difference.len());
    difference[..hidden].fill(f64::NAN);
    let usual = sma(prices.volume, p[0].max(p[1]));
    let percent = zip(&difference, &usual, |difference, usual| 100.0 * ratio(difference, usual, 0.0, 0.0));
    vec![difference, percent]
}

/// How far a running total is above its exponential average, which starts at the first total.
///
/// * `steps`: changes of the total, one per bar.
fn distances(steps: &[f64], n: usize) -> Vec<f64> {
    let kept = 1.0 - 2.0 / (n as f64 + 1.0);
    let mut distance = 0.0;
    each_bar(0, steps.len(), |bar| {
        // The first total is its own average.
        if bar > 0 {
            distance = (distance + steps[bar]) * kept;
        }
        distance
    })
}

/// The force index, and its share of the money traded in percent.
fn force(prices: &Prices, p: &[usize]) -> Vec<Vec<f64>> {
    let moved = each_bar(1, prices.close.len(), |bar| (prices.close[bar] - prices.close[bar - 1]) * prices.volume[bar]);
    let force = from(1, &moved, |moved| ema(moved, p[0]));
    let traded = from(1, &money(prices), |money| ema(money, p[0]));
    let percent = zip(&force, &traded, |force, traded| 100.0 * ratio(force, traded, 0.0, 0.0));
    vec![force, percent]
}

/// Money traded in each bar, at its close.
fn money(prices: &Prices) -> Vec<f64> {
    zip(prices.close, prices.volume, |close, volume| close * volume)
}

fn vwap_dist(prices: &Prices, p: &[usize]) -> Vec<f64> {
    let paid = sum(&zip(&prices.typical(), prices.volume, |typical, volume| typical * volume), p[0]);
    let traded = sum(prices.volume, p[0]);
    let distance = |bar: usize| {
        let mean = ratio(paid[bar], traded[bar], 0.0, prices.close[bar]);
        100.0 * (prices.close[bar] / mean - 1.0)
    };
    each_bar(0, prices.close.len(), distance)
}

fn dollar_volume(prices: &Prices, p: &[usize]) -> Vec<f64> {
    sma(&money(prices), p[0])
}
