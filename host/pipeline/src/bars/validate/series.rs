//! Validates a whole series: spacing, splits, jumps, spikes, gaps, short sessions, stale prices,
//! volume.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use oculus_job::request::Timeframe;

use super::finding::{FindingCollector, FindingKind};
use super::spikes::{Spike, spikes};
use crate::bars::horizon::median_session_bars;
use crate::bars::series::Bars;
use crate::date::iso_date;

/// Length of the shortest series whose spacing is compared with the timeframe, in bars.
const MIN_BARS_FOR_SPACING: usize = 20;
/// Valid range of the usual spacing, as a multiple of the length of a bar. Holidays and illiquid
/// symbols make the spacing longer; no regular effect makes it much shorter.
const SPACINGS: RangeInclusive<f64> = 0.6..=3.0;
/// Smallest gap that is reported, in consecutive weekdays without a bar. One or two weekdays may be
/// holidays.
const LONG_GAP_DAYS: i32 = 3;
/// Length of the shortest reported run of bars with the same prices.
const STALE_BARS: usize = 5;
/// A jump is extreme if the larger of two consecutive closes is more than this multiple of the
/// smaller.
const JUMP: f64 = 2.0;
/// Common splits: the number of old shares, and the number of new shares that replace them.
const SPLITS: [(u32, u32); 15] = [
    (1, 2),
    (2, 3),
    (1, 3),
    (1, 4),
    (1, 5),
    (1, 6),
    (1, 7),
    (1, 8),
    (1, 10),
    (1, 15),
    (1, 20),
    (1, 25),
    (1, 30),
    (1, 50),
    (1, 100),
];
/// Largest relative difference between the ratio of a split and the ratio of the previous close to
/// the open.
const SPLIT_TOLERANCE: f64 = 0.025;
/// Largest difference, in logarithms, between the ratio of a split and the ratio of the median
/// closes before and after it.
const SPLIT_DRIFT: f64 = 0.2;
/// Number of sessions before and after a bar that a suspected split or spike is compared with.
const SESSIONS_AROUND: usize = 10;

/// Inspects a series and adds its findings.
///
/// * `lines`: number of each bar's row in its source.
pub(super) fn inspect(bars: &Bars, lines: &[usize], timeframe: Timeframe, findings: &mut FindingCollector) {
    let days = bars.session_days(timeframe);
    let usual = median_session_bars([days.as_slice()].into_iter()).max(1) as usize;
    let mut add = |kind, idx: usize, detail: String| findings.add_at(kind, lines[idx], bars.time[idx], || detail);
    if let Some(days) = wrong_spacing(bars, timeframe) {
        let expected = timeframe.name();
        add(
            FindingKind::WrongSpacing,
            0,
            format!("bars {days:.3} days apart, expected the spacing of {expected} bars"),
        );
    }
    let splits = suspected_splits(bars, usual);
    for SuspectedSplit { bar, old, new } in &splits {
        let close = bars.close[bar - 1];
        let open = bars.open[*bar];
        add(FindingKind::SuspectedSplit, *bar, format!("{new} for {old}: close {close}, then open {open}"));
    }
    for bar in 1..bars.len() {
        let before = bars.close[bar - 1];
        let close = bars.close[bar];
        let is_jump = close > before * JUMP || close * JUMP < before;
        // A jump that looks like a split is reported only as a suspected split, not also as an
        // extreme jump.
        if is_jump && !splits.iter().any(|split| split.bar == bar) {
            add(FindingKind::ExtremeJump, bar, format!("close {before}, then {close}"));
        }
    }
    for Spike { bar, kind, detail } in spikes(bars, SESSIONS_AROUND.saturating_mul(usual)) {
        add(kind, bar, detail);
    }
    let mut gaps = long_gaps(&days, timeframe);
    // Only the first places of a kind are kept, so the longest gaps are added first.
    gaps.sort_by_key(|gap| std::cmp::Reverse(gap.n_missing));
    for Gap { after, n_missing } in gaps {
        let unit = if timeframe == Timeframe::Week1 { "weeks" } else { "weekdays" };
        let from = iso_date(days[after]);
        let to = iso_date(days[after + 1]);
        add(FindingKind::LongGaps, after, format!("no bar on {n_missing} {unit} between {from} and {to}"));
    }
    for (first, n_bars) in short_sessions(&days, usual) {
        add(FindingKind::ShortSessions, first, format!("{n_bars} bars instead of the usual {usual}"));
    }
    for (first, n_bars) in stale_runs(bars) {
        add(FindingKind::StalePrices, first, format!("{n_bars} bars at close {}", bars.close[first]));
    }
    for bar in (0..bars.len()).filter(|&bar| bars.volume[bar] == 0.0) {
        findings.add_at(FindingKind::ZeroVolume, lines[bar], bars.time[bar], || format!("close {}", bars.close[bar]));
    }
}

/// Returns the usual distance between bars in days if it does not match the timeframe.
fn wrong_spacing(bars: &Bars, timeframe: Timeframe) -> Option<f64> {
    if bars.len() < MIN_BARS_FOR_SPACING {
        return None;
    }
    let mut spacings: Vec<i64> = bars.time.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // The lower quartile is used instead of the median, because every second distance between 4h
    // bars includes a night.
    let quarter = spacings.len() / 4;
    let usual = *spacings.select_nth_unstable(quarter).1 as f64;
    (!SPACINGS.contains(&(usual / timeframe.seconds() as f64))).then_some(usual / 86_400.0)
}

/// A suspected split: the prices before it appear not to be adjusted for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SuspectedSplit {
    /// Index of the first bar after the split.
    pub bar: usize,
    /// Number of old shares that are replaced by `new` shares.
    pub old: u32,
    /// Number of new shares that replace `old` shares.
    pub new: u32,
}

/// Returns the bars at which a split is suspected. The previous close and the open have the ratio
/// of a split, prices stay at the new level, and the volume changes in the other direction.
///
/// * `usual`: usual number of bars in a session.
pub fn suspected_splits(bars: &Bars, usual: usize) -> Vec<SuspectedSplit> {
    let window = SESSIONS_AROUND.saturating_mul(usual);
    (1..bars.len())
        .filter_map(|bar| {
            let ratio = bars.close[bar - 1] / bars.open[bar];
            let (old, new) = SPLITS
                .iter()
                // A reverse split replaces many shares with fewer.
                .flat_map(|&(old, new)| [(old, new), (new, old)])
                .find(|&(old, new)| (ratio / (f64::from(new) / f64::from(old)) - 1.0).abs() <= SPLIT_TOLERANCE)?;
            let around = |values: &[f64]| {
                let before = median(&values[bar.saturating_sub(window)..bar]);
                before / median(&values[bar..bars.len().min(bar + window)])
            };
            let shares = f64::from(new) / f64::from(old);
            let stays = (around(&bars.close) / shares).ln().abs() <= SPLIT_DRIFT;
            // If the turnover stays equal, the volume after a split is `shares` times the volume
            // before it. Volume fluctuates, so half of that change in logarithms is sufficient.
            let turned = -around(&bars.volume).ln() / shares.ln() >= 0.5;
            (stays && turned).then_some(SuspectedSplit { bar, old, new })
        })
        .collect()
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

/// A gap between two consecutive bars.
struct Gap {
    /// Index of the bar before the gap.
    after: usize,
    /// Number of missing weekdays or weeks.
    n_missing: i32,
}

fn long_gaps(days: &[i32], timeframe: Timeframe) -> Vec<Gap> {
    let missing = |from: i32, to: i32| match timeframe {
        // The bar of a week may have the date of any day of that week, so the distance is rounded
        // to whole weeks.
        Timeframe::Week1 => (to.saturating_sub(from) + 3) / 7 - 1,
        _ => n_weekdays(from.saturating_add(1), to),
    };
    let min_missing = if timeframe == Timeframe::Week1 { 1 } else { LONG_GAP_DAYS };
    // A calendar distance of up to three days is an ordinary weekend or a single holiday.
    let gaps = days.windows(2).enumerate().filter(|(_, pair)| pair[1].saturating_sub(pair[0]) > LONG_GAP_DAYS);
    let gaps = gaps.map(|(after, pair)| Gap { after, n_missing: missing(pair[0], pair[1]) });
    gaps.filter(|gap| gap.n_missing >= min_missing).collect()
}

/// Counts the weekdays from the day `from` up to, but not including, the day `to`.
fn n_weekdays(from: i32, to: i32) -> i32 {
    // Day 0 is a Thursday. The count starts on the Monday before it, 1969-12-29.
    // The count uses `i64`, because the product would overflow an `i32` for days near its limits.
    let until = |day: i32| {
        let day = i64::from(day) + 3;
        5 * day.div_euclid(7) + day.rem_euclid(7).min(5)
    };
    i32::try_from(until(to) - until(from)).unwrap_or(i32::MAX).max(0)
}

/// Returns each session with fewer than half of the usual number of bars: its first bar and its
/// number of bars. The first and the last session are skipped, because the file may begin or end
/// within them.
fn short_sessions(days: &[i32], usual: usize) -> Vec<(usize, usize)> {
    let mut short = Vec::new();
    let mut first = 0;
    for session in days.chunk_by(|one, other| one == other) {
        let is_within = first > 0 && first + session.len() < days.len();
        if is_within && 2 * session.len() < usual {
            short.push((first, session.len()));
        }
        first += session.len();
    }
    short
}

/// Returns each run of at least [`STALE_BARS`] bars with the same prices: its first bar and its
/// number of bars.
fn stale_runs(bars: &Bars) -> Vec<(usize, usize)> {
    let prices = |bar: usize| [bars.open[bar], bars.high[bar], bars.low[bar], bars.close[bar]];
    let mut runs = Vec::new();
    let mut first = 0;
    for bar in 1..=bars.len() {
        if bar == bars.len() || prices(bar) != prices(first) {
            if bar - first >= STALE_BARS {
                runs.push((first, bar - first));
            }
            first = bar;
        }
    }
    runs
}

/// Returns the dates of `all` on which a symbol has no bar, between its first and its last date.
///
/// * `days`: session dates of the symbol's bars, ascending, with repetitions.
pub fn missing_days(days: &[i32], all: &BTreeSet<i32>) -> Vec<i32> {
    let (Some(&first), Some(&last)) = (days.first(), days.last()) else { return Vec::new() };
    all.range(first..=last).copied().filter(|day| days.binary_search(day).is_err()).collect()
}
