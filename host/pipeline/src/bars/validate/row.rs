//! Validates one row, and adds it to the bars.

use std::ops::RangeInclusive;

use super::finding::{FindingCollector, FindingKind};
use crate::bars::series::Bars;
use crate::bars::source::Row;

/// Largest relative difference that counts as a rounding error. Adjusted prices have few decimals,
/// so a high may be slightly below the close of its bar.
const ROUNDING: f64 = 1e-5;
/// Range of valid prices. The ratio of any two valid prices fits an `f32`.
const PRICES: RangeInclusive<f64> = 1e-9..=1e12;
const VOLUMES: RangeInclusive<f64> = 0.0..=1e18;

/// Adds the row to the bars if it is a valid bar, and returns whether it was added.
pub(super) fn push(bars: &mut Bars, row: &Row, findings: &mut FindingCollector) -> bool {
    let [open, high, low, close, volume] = row.values;
    if let Some((kind, detail)) = first_error(row.values) {
        findings.add(kind, row, || detail);
        return false;
    }
    let top = open.max(close).max(low);
    let bottom = open.min(close).min(high);
    if high < top || low > bottom {
        findings.add(FindingKind::HighLowRounded, row, || {
            format!("high {high} and low {low}, but the other prices are from {bottom} to {top}")
        });
    }
    // A high or low with a rounding error is set to the highest or lowest other price of the bar.
    // This requires no guess.
    bars.time.push(row.time);
    bars.open.push(open);
    bars.high.push(high.max(top));
    bars.low.push(low.min(bottom));
    bars.close.push(close);
    bars.volume.push(volume);
    true
}

/// Returns the first reason why the values are not a valid bar, with the value found and the value
/// expected.
fn first_error([open, high, low, close, volume]: [f64; 5]) -> Option<(FindingKind, String)> {
    for (name, price) in [("open", open), ("high", high), ("low", low), ("close", close)] {
        if !PRICES.contains(&price) {
            let min = PRICES.start();
            let max = PRICES.end();
            let detail = format!("{name} is {price}, expected a price from {min:e} to {max:e}");
            return Some((FindingKind::PriceOutOfRange, detail));
        }
    }
    if !VOLUMES.contains(&volume) {
        // Feeds of forex and indices use -1 for an unknown volume. It is not replaced here, because
        // the file does not state which meaning it has.
        let unknown = if volume == -1.0 { ", or 0 if -1 stands for an unknown volume" } else { "" };
        let detail = format!("volume is {volume}, expected 0 to {:e}{unknown}", VOLUMES.end());
        return Some((FindingKind::VolumeOutOfRange, detail));
    }
    let top = open.max(close).max(low);
    let bottom = open.min(close).min(high);
    if high < top * (1.0 - ROUNDING) {
        return Some((FindingKind::InconsistentBar, format!("high is {high}, expected at least {top}")));
    }
    (low > bottom * (1.0 + ROUNDING))
        .then(|| (FindingKind::InconsistentBar, format!("low is {low}, expected at most {bottom}")))
}
