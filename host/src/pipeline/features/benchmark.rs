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
    }
    Ok(())
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
