//! Checks of a whole series: spacing, gaps, splits, jumps, stale prices.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use oculus_job::request::Timeframe;

use super::finding::{FindingCollector, FindingKind};
use crate::bars::horizon::median_session_bars;
use crate::bars::series::Bars;
use crate::date::iso_date;

/// Least number of bars whose spacing determines the timeframe.
const MIN_BARS_FOR_SPACING: usize = 20;
/// Usual spacing in lengths of a bar: holidays and illiquid symbols make it longer; nothing makes it much shorter.
const SPACINGS: RangeInclusive<f64> = 0.6..=3.0;
/// Number of consecutive weekdays without a bar that is more than a holiday.
const LONG_GAP_DAYS: i32 = 3;
/// Number of consecutive bars with the same prices that makes the price stale.
const STALE_BARS: usize = 5;
/// A jump of closes by this factor, up or down, is extreme.
const JUMP: f64 = 2.0;
/// Ratios of usual splits: old shares, new shares.
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
/// How far from the ratio the price may open.
const SPLIT_TOLERANCE: f64 = 0.025;
/// How far from the ratio the usual price of the sessions around it may move.
const SPLIT_DRIFT: f64 = 0.2;
/// Sessions before and after that are compared.
const SPLIT_SESSIONS: usize = 10;

/// Inspects a series.
///
/// * `lines`: line or row of each bar in its source.
pub(super) fn inspect(bars: &Bars, lines: &[usize], timeframe: Timeframe, findings: &mut FindingCollector) {
    let days = bars.session_days(timeframe);
    let usual = median_session_bars([days.as_slice()].into_iter()).max(1) as usize;
    let mut add = |kind, idx: usize, what: String| findings.add_at(kind, lines[idx], bars.time[idx], || what);
    if let Some(days) = odd_spacing(bars, timeframe) {
        let needed = timeframe.name();
        add(FindingKind::WrongSpacing, 0, format!("bars {days:.3} days apart, which are no bars of {needed}"));
    }
    let splits = suspected_splits(bars, usual);
    for Split { bar, old, new } in &splits {
        let close = bars.close[bar - 1];
        let open = bars.open[*bar];
        add(FindingKind::SuspectedSplit, *bar, format!("{new} for {old}: close {close}, then open {open}"));
    }
    for bar in 1..bars.len() {
        let before = bars.close[bar - 1];
        let close = bars.close[bar];
        let is_jump = close > before * JUMP || close * JUMP < before;
        if is_jump && !splits.iter().any(|split| split.bar == bar) {
            add(FindingKind::ExtremeJump, bar, format!("close {before}, then {close}"));
        }
    }
    let mut gaps = long_gaps(&days, timeframe);
    gaps.sort_by_key(|gap| std::cmp::Reverse(gap.n_missing));
    for Gap { after, n_missing } in gaps {
        let unit = if timeframe == Timeframe::Week1 { "weeks" } else { "weekdays" };
        let from = iso_date(days[after]);
        let to = iso_date(days[after + 1]);
        add(FindingKind::LongGaps, after, format!("no bar on {n_missing} {unit} between {from} and {to}"));
    }
    for (first, n_bars) in short_sessions(&days, usual) {
        add(FindingKind::ShortSessions, first, format!("{n_bars} bars, usual are {usual}"));
    }
    for (first, n_bars) in stale_runs(bars) {
        add(FindingKind::StalePrices, first, format!("{n_bars} bars at close {}", bars.close[first]));
    }
    for bar in (0..bars.len()).filter(|&bar| bars.volume[bar] == 0.0) {
        findings.add_at(FindingKind::ZeroVolume, lines[bar], bars.time[bar], || format!("close {}", bars.close[bar]));
    }
}

/// Returns the usual distance between bars in days, if it does not fit the timeframe.
fn odd_spacing(bars: &Bars, timeframe: Timeframe) -> Option<f64> {
    if bars.len() < MIN_BARS_FOR_SPACING {
        return None;
    }
    let mut spacings: Vec<i64> = bars.time.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // The lower quartile: with 4h bars, every other spacing is a night.
    let quarter = spacings.len() / 4;
    let usual = *spacings.select_nth_unstable(quarter).1 as f64;
    (!SPACINGS.contains(&(usual / timeframe.seconds() as f64))).then_some(usual / 86_400.0)
}

/// A split for which the earlier prices do not seem to be adjusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    /// The first bar after it.
    pub bar: usize,
    /// Number of old shares …
    pub old: u32,
    /// … that became this number of new shares.
    pub new: u32,
}

/// Returns suspected splits: bars that open at the ratio of a split to the close before, after which prices stay there
/// and volume moves the other way.
///
/// * `usual`: usual number of bars in a session.
pub fn suspected_splits(bars: &Bars, usual: usize) -> Vec<Split> {
    let window = SPLIT_SESSIONS.saturating_mul(usual);
    (1..bars.len())
        .filter_map(|bar| {
            let ratio = bars.close[bar - 1] / bars.open[bar];
            let (old, new) = SPLITS
                .iter()
                .flat_map(|&(old, new)| [(old, new), (new, old)])
                .find(|&(old, new)| (ratio / (f64::from(new) / f64::from(old)) - 1.0).abs() <= SPLIT_TOLERANCE)?;
            let around = |values: &[f64]| {
                let before = median(&values[bar.saturating_sub(window)..bar]);
                before / median(&values[bar..bars.len().min(bar + window)])
            };
            let shares = f64::from(new) / f64::from(old);
            let stays = (around(&bars.close) / shares).ln().abs() <= SPLIT_DRIFT;
            // With `shares` times as many shares, the same turnover is `shares` times the volume: half of that, in
            // logarithms, is enough.
            let turned = -around(&bars.volume).ln() / shares.ln() >= 0.5;
            (stays && turned).then_some(Split { bar, old, new })
        })
        .collect()
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

/// Sessions missing between two consecutive bars.
struct Gap {
    after: usize,
    n_missing: i32,
}

fn long_gaps(days: &[i32], timeframe: Timeframe) -> Vec<Gap> {
    let missing = |from: i32, to: i32| match timeframe {
        // A week's bar may be dated by any of its days.
        Timeframe::Week1 => (to.saturating_sub(from) + 3) / 7 - 1,
        _ => n_weekdays(from.saturating_add(1), to),
    };
    let least = if timeframe == Timeframe::Week1 { 1 } else { LONG_GAP_DAYS };
    let gaps = days.windows(2).enumerate().filter(|(_, pair)| pair[1].saturating_sub(pair[0]) > LONG_GAP_DAYS);
    let gaps = gaps.map(|(after, pair)| Gap { after, n_missing: missing(pair[0], pair[1]) });
    gaps.filter(|gap| gap.n_missing >= least).collect()
}

/// Counts the weekdays from a day up to another, which is excluded.
fn n_weekdays(from: i32, to: i32) -> i32 {
    // Counted from a Monday, 1969-12-29, three days before day 0.
    let until = |day: i32| {
        let day = i64::from(day) + 3;
        5 * day.div_euclid(7) + day.rem_euclid(7).min(5)
    };
    i32::try_from(until(to) - until(from)).unwrap_or(i32::MAX).max(0)
}

/// Returns the sessions with less than half of the usual bars: their first bar and number of bars. The first and the
/// last session may be incomplete.
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

/// Returns the runs of bars with the same prices: their first bar and number of bars.
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

/// Returns the dates of `all` that a symbol lacks between its own first and last date.
///
/// * `own`: session dates of the symbol, ascending, with repetitions.
pub fn missing_days(own: &[i32], all: &BTreeSet<i32>) -> Vec<i32> {
    let (Some(&first), Some(&last)) = (own.first(), own.last()) else { return Vec::new() };
    all.range(first..=last).copied().filter(|day| own.binary_search(day).is_err()).collect()
}
