//! Finds single values that are far from their neighbours: opens, highs, lows and volumes.
//!
//! In: a series of valid bars. Out: findings with the value and the value expected. Invariant: the
//! closes are not examined here, because a jump of the close is a finding of its own.
//!
//! Such values are typical errors of feeds, such as a misplaced decimal point. Closes do not reveal
//! them, but stops and fills use highs and lows, and features use all of them.

use std::ops::Range;

use super::finding::FindingKind;
use crate::bars::series::Bars;

/// A price is a spike if the ratio to its neighbours exceeds this number.
const MAX_RATIO: f64 = 2.0;
/// A price is also a spike if the logarithm of the ratio to its neighbours exceeds this multiple of
/// the usual `ln(high / low)`. In the daily bars of AAPL, IBM and MSFT from 2000 to 2013, the largest
/// multiple is 8.0, on the day of the flash crash of 2010-05-06.
const MAX_RANGES: f64 = 15.0;
/// Smallest ratio of a spike by the rule of [`MAX_RANGES`]. In very calm series, even an ordinary
/// price exceeds a multiple of the usual range.
const MIN_RATIO: f64 = 1.2;
/// A volume is a spike if it exceeds this multiple of the largest volume around it. In the same bars,
/// the largest multiple is 3.1.
const MAX_VOLUMES: f64 = 100.0;

/// A value that is far from its neighbours.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spike {
    /// Index of the bar.
    pub bar: usize,
    /// Kind of the finding.
    pub kind: FindingKind,
    /// The value found and the value expected.
    pub detail: String,
}

/// Returns the spikes of a series in the order of their bars.
///
/// * `window`: number of bars before and after a bar that its values are compared with.
pub(super) fn spikes(bars: &Bars, window: usize) -> Vec<Spike> {
    (0..bars.len()).flat_map(|bar| price_spikes(bars, bar, window).chain(volume_spike(bars, bar, window))).collect()
}

fn price_spikes(bars: &Bars, bar: usize, window: usize) -> impl Iterator<Item = Spike> {
    let Bars { open, high, low, close, .. } = bars;
    let before = close[bar.saturating_sub(1)];
    // The open is compared with the closes only, so that a wrong open is one finding and not also a
    // finding about the high or low that includes it.
    let closes = [before.min(close[bar]), before.max(close[bar])];
    let others = [closes[0].min(open[bar]), closes[1].max(open[bar])];
    let candidates = [
        (FindingKind::OpenSpike, "open", open[bar], closes, "the close and the previous close"),
        (FindingKind::HighSpike, "high", high[bar], others, "the open, the close and the previous close"),
        (FindingKind::LowSpike, "low", low[bar], others, "the open, the close and the previous close"),
    ];
    candidates.into_iter().filter_map(move |(kind, name, price, [bottom, top], neighbours)| {
        let ratio = (price / top).max(bottom / price);
        // The usual range is computed only for the few bars that can be spikes.
        let max_ratio = (ratio > MIN_RATIO).then(|| max_ratio(bars, bar, window))?;
        let is_above = price > top;
        let (side, bound) = if is_above { ("most", top * max_ratio) } else { ("least", bottom / max_ratio) };
        (ratio > max_ratio).then(|| {
            let bound = rounded(bound);
            let detail = format!(
                "{name} is {price}, expected at {side} {bound}, because {neighbours} are from {bottom} to {top}"
            );
            Spike { bar, kind, detail }
        })
    })
}

/// Returns the largest ratio of an ordinary price to its neighbours.
fn max_ratio(bars: &Bars, bar: usize, window: usize) -> f64 {
    let mut ranges: Vec<f64> =
        around(bars.len(), bar, window).map(|other| (bars.high[other] / bars.low[other]).ln()).collect();
    if ranges.is_empty() {
        return MAX_RATIO;
    }
    let middle = ranges.len() / 2;
    let usual = *ranges.select_nth_unstable_by(middle, f64::total_cmp).1;
    // If most bars have a single price, their range states nothing about the size of a usual move.
    if usual > 0.0 { (MAX_RANGES * usual).exp().clamp(MIN_RATIO, MAX_RATIO) } else { MAX_RATIO }
}

fn volume_spike(bars: &Bars, bar: usize, window: usize) -> Option<Spike> {
    let volume = bars.volume[bar];
    let others = || around(bars.len(), bar, window).map(|other| bars.volume[other]);
    // The search usually ends at the first bar, so its cost does not depend on the window.
    if others().any(|other| volume <= MAX_VOLUMES * other) {
        return None;
    }
    let largest = others().fold(0.0, f64::max);
    // Without any other volume, there is nothing to compare with.
    (largest > 0.0).then(|| {
        let expected = MAX_VOLUMES * largest;
        let detail = format!(
            "volume is {volume}, expected at most {expected}: {MAX_VOLUMES} times {largest}, the largest volume of the bars \
             around it"
        );
        Spike { bar, kind: FindingKind::VolumeSpike, detail }
    })
}

/// Rounds a positive number to six significant digits, for a message.
fn rounded(number: f64) -> f64 {
    let scale = 10_f64.powf(5.0 - number.log10().floor());
    (number * scale).round() / scale
}

/// Returns the indices of the bars around a bar, without the bar itself.
fn around(n_bars: usize, bar: usize, window: usize) -> impl Iterator<Item = usize> {
    let after: Range<usize> = bar + 1..n_bars.min(bar.saturating_add(window).saturating_add(1));
    (bar.saturating_sub(window)..bar).chain(after)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns bars with a range of 2 % per bar around 100, and a volume of 1000.
    fn calm(n_bars: usize) -> Bars {
        let close: Vec<f64> = (0..n_bars).map(|bar| 100.0 + (bar % 7) as f64 / 10.0).collect();
        Bars {
            symbol: "A".to_owned(),
            time: (0..n_bars as i64).collect(),
            open: close.iter().map(|close| close - 0.3).collect(),
            high: close.iter().map(|close| close + 1.0).collect(),
            low: close.iter().map(|close| close - 1.0).collect(),
            close,
            volume: vec![1000.0; n_bars],
        }
    }

    fn found(change: impl FnOnce(&mut Bars)) -> Vec<(usize, FindingKind)> {
        let mut bars = calm(60);
        change(&mut bars);
        spikes(&bars, 10).into_iter().map(|spike| (spike.bar, spike.kind)).collect()
    }

    #[test]
    fn each_value_that_is_far_from_its_neighbours_is_found_once() {
        assert_eq!(found(|_| {}), []);
        assert_eq!(found(|bars| bars.high[20] *= 7.0), [(20, FindingKind::HighSpike)]);
        assert_eq!(found(|bars| bars.low[20] /= 100.0), [(20, FindingKind::LowSpike)]);
        assert_eq!(found(|bars| bars.volume[20] *= 10_000.0), [(20, FindingKind::VolumeSpike)]);
        let open = |by: f64| {
            move |bars: &mut Bars| {
                bars.open[20] *= by;
                bars.high[20] = bars.high[20].max(bars.open[20]);
                bars.low[20] = bars.low[20].min(bars.open[20]);
            }
        };
        for by in [2.6, 1.0 / 2.6] {
            assert_eq!(found(open(by)), [(20, FindingKind::OpenSpike)], "{by}");
        }
        assert_eq!(found(|bars| bars.high[0] *= 7.0), [(0, FindingKind::HighSpike)], "the first bar");
        assert_eq!(found(|bars| bars.volume[59] *= 10_000.0), [(59, FindingKind::VolumeSpike)], "the last bar");
    }

    #[test]
    fn a_smaller_spike_is_found_in_a_calmer_series() {
        assert_eq!(found(|bars| bars.high[20] *= 1.5), [(20, FindingKind::HighSpike)]);
        let volatile = |bars: &mut Bars| {
            bars.high.iter_mut().for_each(|high| *high *= 1.1);
            bars.high[20] = 150.0;
        };
        assert_eq!(found(volatile), []);
        let flat = |bars: &mut Bars| {
            *bars =
                Bars { open: vec![1.0; 60], high: vec![1.0; 60], low: vec![1.0; 60], close: vec![1.0; 60], ..calm(60) };
            bars.high[20] = 1.25;
        };
        assert_eq!(found(flat), [], "one tick of a share of 1 cent");
    }

    #[test]
    fn a_price_that_stays_at_a_new_level_is_not_a_spike() {
        let level = |by: f64| {
            move |bars: &mut Bars| {
                for prices in [&mut bars.open, &mut bars.high, &mut bars.low, &mut bars.close] {
                    prices[30..].iter_mut().for_each(|price| *price *= by);
                }
                bars.volume[30..].iter_mut().for_each(|volume| *volume *= 200.0);
            }
        };
        for by in [0.1, 5.0] {
            assert_eq!(found(level(by)), [], "{by}");
        }
    }

    #[test]
    fn the_detail_states_the_value_and_the_value_expected() {
        let mut bars = calm(60);
        bars.low[21] = 1.0;
        bars.volume[22] = 1e9;
        let details: Vec<String> = spikes(&bars, 10).into_iter().map(|spike| spike.detail).collect();
        assert_eq!(
            details,
            [
                "low is 1, expected at least 73.9251, because the open, the close and the previous close are from \
                 99.7 to 100.6",
                "volume is 1000000000, expected at most 100000: 100 times 1000, the largest volume of the bars around it",
            ]
        );
    }

    proptest! {
        #[test]
        fn a_series_of_any_size_is_examined_without_a_panic(n_bars in 0..6_usize, window in 0..4_usize) {
            prop_assert!(spikes(&calm(n_bars), window).is_empty());
        }
    }
}
