//! Rows of a file made a sound series, or the first thing that is wrong with them.

use std::ops::RangeInclusive;

use super::{Bars, Found, Row, moment, refused};
use crate::job::{failure::Failure, request::Timeframe};

/// Adjusted prices carry few decimals; within this share a high below the close is a rounding, beyond it an error.
const ROUNDING: f64 = 1e-5;
/// Prices whose ratios fit an f32.
const PRICES: RangeInclusive<f64> = 1e-9..=1e12;
const VOLUMES: RangeInclusive<f64> = 0.0..=1e18;
/// Bars from which on their spacing tells the timeframe.
const MIN_BARS_TO_TELL: usize = 20;
/// Usual spacing in lengths of a bar: holidays and quiet symbols make it longer, nothing makes it much shorter.
const SPACINGS: RangeInclusive<f64> = 0.6..=3.0;
const HINT: &str = "correct the file; bars are never guessed or filled";

/// Sorts by time, merges equal duplicates, and checks every bar.
pub(super) fn sound(found: Found, symbol: &str, timeframe: Timeframe) -> Result<Bars, Failure> {
    let Found { origin: file, mut rows } = found;
    rows.sort_by_key(|row| (row.time, row.line));
    let mut bars = Bars { symbol: symbol.to_owned(), ..Bars::default() };
    let mut earlier: Option<&Row> = None;
    for row in &rows {
        match earlier {
            Some(earlier) if earlier.time == row.time && earlier.values == row.values => continue,
            Some(earlier) if earlier.time == row.time => return Err(conflict(&file, earlier, row, timeframe)),
            _ => push(&mut bars, row, &file, timeframe)?,
        }
        earlier = Some(row);
    }
    check_spacing(&bars, &file, timeframe)?;
    Ok(bars)
}

/// Refuses bars of another timeframe than the job's, which would be read in silence as what they are not.
fn check_spacing(bars: &Bars, file: &str, timeframe: Timeframe) -> Result<(), Failure> {
    if bars.time.len() < MIN_BARS_TO_TELL {
        return Ok(());
    }
    let mut spacings: Vec<i64> = bars.time.windows(2).map(|pair| pair[1] - pair[0]).collect();
    spacings.sort_unstable();
    // The lower quartile: with 4h bars, every other spacing is a night.
    let usual = spacings[spacings.len() / 4] as f64 / timeframe.seconds() as f64;
    if SPACINGS.contains(&usual) {
        return Ok(());
    }
    let days = usual * timeframe.seconds() as f64 / 86_400.0;
    let message = format!("{file} has bars {days:.3} days apart, which are no bars of {}", timeframe.name());
    Err(refused(
        "bad_bars",
        message,
        "give bars of the job's timeframe, or set the job's timeframe to that of the bars",
    ))
}

fn push(bars: &mut Bars, row: &Row, file: &str, timeframe: Timeframe) -> Result<(), Failure> {
    let wrong = |what: String| {
        let place = format!("{file} line {} ({})", row.line, moment(row.time, timeframe));
        refused("bad_bars", format!("{place}: {what}"), HINT)
    };
    let [open, high, low, close, volume] = row.values;
    for (name, price) in [("open", open), ("high", high), ("low", low), ("close", close)] {
        if !PRICES.contains(&price) {
            let (least, most) = (PRICES.start(), PRICES.end());
            return Err(wrong(format!("{name} is {price}, needed a price from {least:e} to {most:e}")));
        }
    }
    if !VOLUMES.contains(&volume) {
        return Err(wrong(format!("volume is {volume}, needed 0 to {:e}", VOLUMES.end())));
    }
    let (top, bottom) = (open.max(close).max(low), open.min(close).min(high));
    if high < top * (1.0 - ROUNDING) {
        return Err(wrong(format!("high {high} is below {top}")));
    }
    if low > bottom * (1.0 + ROUNDING) {
        return Err(wrong(format!("low {low} is above {bottom}")));
    }
    bars.time.push(row.time);
    bars.open.push(open);
    bars.high.push(high.max(top));
    bars.low.push(low.min(bottom));
    bars.close.push(close);
    bars.volume.push(volume);
    Ok(())
}

fn conflict(file: &str, first: &Row, second: &Row, timeframe: Timeframe) -> Failure {
    let (line, other, when) = (first.line, second.line, moment(first.time, timeframe));
    refused("bad_bars", format!("{file}: {when} stands in lines {line} and {other} with different values"), HINT)
}
