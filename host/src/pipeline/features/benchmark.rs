//! Another symbol beside a symbol: the closes that features compare with.
//!
//! In: sound bars of both. Out: one close a bar. Invariant: a bar sees a close of its own start or earlier, never one of
//! a bar that starts later.

use crate::{
    job::request::Timeframe,
    pipeline::bars::{Bars, moment},
};

/// A benchmark that ends longer before a symbol's newest bar says nothing of that time any more.
const OUTDATED_AFTER_S: i64 = 7 * 86_400;

/// Why a symbol's bars do not serve as a benchmark.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// There is none.
    #[error("there is no bar")]
    Empty,
    /// The first one is too late.
    #[error("they begin on {from}, {symbol}'s on {needed}: give a longer history")]
    BeginLater {
        /// Its first bar.
        from: String,
        /// The symbol that begins before.
        symbol: String,
        /// That symbol's first bar.
        needed: String,
    },
    /// There is a stretch without bars.
    #[error("they have none from {from} to {to}, more than 7 days in which {symbol} traded: give those between")]
    Hole {
        /// Its last bar before.
        from: String,
        /// The bar of the symbol that is too long after.
        to: String,
        /// The symbol that traded.
        symbol: String,
    },
    /// The last one is too old.
    #[error("they end on {to}, more than 7 days before {symbol}'s newest bar, {needed}: give newer ones")]
    Outdated {
        /// Its last bar at the symbol's newest.
        to: String,
        /// The symbol that goes on.
        symbol: String,
        /// That symbol's newest bar.
        needed: String,
    },
}

/// Checks that a benchmark's bars serve all of these symbols.
///
/// # Errors
/// Why they do not.
pub fn check(benchmark: &Bars, bars: &[Bars], timeframe: Timeframe) -> Result<(), Unfit> {
    let &from = benchmark.time.first().ok_or(Unfit::Empty)?;
    let said = |time: i64| moment(time, timeframe);
    for Bars { symbol, time, .. } in bars {
        let (Some(&first), Some(&newest)) = (time.first(), time.last()) else { continue };
        let symbol = symbol.clone();
        if first < from {
            return Err(Unfit::BeginLater { from: said(from), symbol, needed: said(first) });
        }
        let n_known = benchmark.time.partition_point(|&time| time <= newest);
        let to = benchmark.time[n_known - 1];
        if newest - to > OUTDATED_AFTER_S {
            return Err(Unfit::Outdated { to: said(to), symbol, needed: said(newest) });
        }
        if let Some((from, to)) = hole(benchmark, time) {
            return Err(Unfit::Hole { from: said(from), to: said(to), symbol });
        }
    }
    Ok(())
}

/// The first of these times at which the benchmark's last bar is too old, after that bar's.
fn hole(benchmark: &Bars, times: &[i64]) -> Option<(i64, i64)> {
    let mut known = benchmark.time.iter().copied().peekable();
    let mut last = known.next()?;
    for &time in times {
        while let Some(next) = known.next_if(|&next| next <= time) {
            last = next;
        }
        if time - last > OUTDATED_AFTER_S {
            return Some((last, time));
        }
    }
    None
}

/// The benchmark's last close at or before each of a symbol's bars; NaN before its first.
pub(super) fn closes(benchmark: &Bars, bars: &Bars) -> Vec<f64> {
    let mut n_known = 0;
    let close = |&time: &i64| {
        while benchmark.time.get(n_known).is_some_and(|&known| known <= time) {
            n_known += 1;
        }
        n_known.checked_sub(1).map_or(f64::NAN, |last| benchmark.close[last])
    };
    bars.time.iter().map(close).collect()
}
