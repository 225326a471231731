//! Converts the horizon of a label from sessions into bars. A session has one daily bar or many
//! intraday bars.

use oculus_job::request::Timeframe;

/// Sessions per trading week.
const SESSIONS_PER_WEEK: u32 = 5;

/// Converts a horizon of `h` sessions into bars: `h` for daily bars, `ceil(h / 5)` for weekly bars,
/// `h · bars_per_session` for intraday bars.
pub fn horizon_bars(horizon_days: u32, timeframe: Timeframe, bars_per_session: u32) -> u32 {
    match timeframe {
        Timeframe::Day1 => horizon_days,
        // The quotient is rounded up, because even a horizon of less than a week has to look one
        // bar ahead.
        Timeframe::Week1 => horizon_days.div_ceil(SESSIONS_PER_WEEK),
        _ => horizon_days.saturating_mul(bars_per_session),
    }
}

/// Returns the median number of bars per session over all symbols, at least 1. If there are two
/// middle values, the lower one is returned.
///
/// * `symbols`: the ascending session dates of each symbol's bars.
pub fn median_session_bars<'a>(symbols: impl Iterator<Item = &'a [i32]>) -> u32 {
    let sessions = symbols.flat_map(|days| days.chunk_by(|day, next| day == next));
    let mut sizes: Vec<u32> = sessions.map(|session| u32::try_from(session.len()).unwrap_or(u32::MAX)).collect();
    // The median is used instead of the mean, because half days have fewer bars and a symbol may
    // have incomplete sessions.
    sizes.sort_unstable();
    sizes.get(sizes.len().saturating_sub(1) / 2).copied().unwrap_or(1)
}
