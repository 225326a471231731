//! Checks of one row.

use std::ops::RangeInclusive;

use super::finding::{FindingCollector, FindingKind};
use crate::bars::series::Bars;
use crate::bars::source::Row;

/// Adjusted prices have few decimals: up to this share, a high below the close is a rounding error.
const ROUNDING: f64 = 1e-5;
/// Prices whose ratios fit an f32.
const PRICES: RangeInclusive<f64> = 1e-9..=1e12;
const VOLUMES: RangeInclusive<f64> = 0.0..=1e18;

/// Adds the row to the bars if it is a valid bar, and returns whether it was added.
pub(super) fn push(bars: &mut Bars, row: &Row, findings: &mut FindingCollector) -> bool {
    let [open, high, low, close, volume] = row.values;
    if let Some((kind, what)) = wrong(row.values) {
        findings.add(kind, row, || what);
        return false;
    }
    let top = open.max(close).max(low);
    let bottom = open.min(close).min(high);
    if high < top || low > bottom {
        findings.add(FindingKind::HighLowRounded, row, || {
            format!("high {high} and low {low} of a bar from {bottom} to {top}")
        });
    }
    bars.time.push(row.time);
    bars.open.push(open);
    bars.high.push(high.max(top));
    bars.low.push(low.min(bottom));
    bars.close.push(close);
    bars.volume.push(volume);
    true
}

/// Returns why the values are not a bar: the value found and the value needed.
fn wrong([open, high, low, close, volume]: [f64; 5]) -> Option<(FindingKind, String)> {
    for (name, price) in [("open", open), ("high", high), ("low", low), ("close", close)] {
        if !PRICES.contains(&price) {
            let least = PRICES.start();
            let most = PRICES.end();
            let what = format!("{name} is {price}, needed a price from {least:e} to {most:e}");
            return Some((FindingKind::PriceOutOfRange, what));
        }
    }
    if !VOLUMES.contains(&volume) {
        let what = format!("volume is {volume}, needed 0 to {:e}", VOLUMES.end());
        return Some((FindingKind::VolumeOutOfRange, what));
    }
    let top = open.max(close).max(low);
    let bottom = open.min(close).min(high);
    if high < top * (1.0 - ROUNDING) {
        return Some((FindingKind::InconsistentBar, format!("high {high} is below {top}, needed at least that")));
    }
    (low > bottom * (1.0 + ROUNDING))
        .then(|| (FindingKind::InconsistentBar, format!("low {low} is above {bottom}, needed at most that")))
}
