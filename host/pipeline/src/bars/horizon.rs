//! Horizons of labels in bars: a session has one daily bar, or many intraday ones.

use oculus_job::request::Timeframe;

/// Sessions per trading week.
const SESSIONS_PER_WEEK: u32 = 5;

/// Converts a horizon of `h` sessions into bars: `h` for daily bars, `ceil(h / 5)` for weekly, `h`
/// sessions' bars for intraday.
pub fn horizon_bars(horizon_days: u32, timeframe: Timeframe, bars_per_session: u32) -> u32 {
    match timeframe {
        Timeframe::Day1 => horizon_days,
        Timeframe::Week1 => horizon_days.div_ceil(SESSIONS_PER_WEEK),
        _ => horizon_days.saturating_mul(bars_per_session),
    }
}

/// Returns the median number of bars per session over all symbols; the lower one of two, at least 1.
///
/// * `symbols`: the ascending session dates of each symbol's bars.
pub fn median_session_bars<'a>(symbols: impl Iterator<Item = &'a [i32]>) -> u32 {
    let sessions = symbols.flat_map(|days| days.chunk_by(|day, next| day == next));
    let mut sizes: Vec<u32> = sessions.map(|session| u32::try_from(session.len()).unwrap_or(u32::MAX)).collect();
    sizes.sort_unstable();
    sizes.get(sizes.len().saturating_sub(1) / 2).copied().unwrap_or(1)
}
