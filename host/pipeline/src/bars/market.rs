//! The bars of a job, as the later stages receive them.

use oculus_job::request::Timeframe;
use oculus_job::warning::Warning;

use super::series::Bars;
use super::span::LabelledSpan;

/// All bars that a job uses, and the span whose rows can have labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Market {
    /// One series per symbol, in the job's order of symbols.
    pub bars: Vec<Bars>,
    /// Series of the benchmarks. Each benchmark covers the whole span of the symbols' bars.
    pub benchmarks: Vec<Bars>,
    /// Length of the bars.
    pub timeframe: Timeframe,
    /// The span whose rows can have a label: the `years` years up to the newest bar.
    pub span: LabelledSpan,
    /// Largest number of bars that a feature may need before its first value. Features that need
    /// more are left out.
    pub warm_up_bars: usize,
    /// Warnings for the result, such as symbols that were left out.
    pub warnings: Vec<Warning>,
    /// SHA-256 over the symbols and numbers of all bars, with the benchmarks last, in lower-case
    /// hex. It does not depend on the format of the files.
    pub sha256: String,
}

impl Market {
    /// Returns the market from a session date on, with up to `n_before` earlier bars of each symbol.
    ///
    /// * `day`: session date, days since 1970-01-01.
    pub(crate) fn since(&self, day: i32, n_before: usize) -> Self {
        let since = |bars: &Bars| {
            let first = bars.session_days(self.timeframe).partition_point(|&other| other < day);
            bars.skip(first.saturating_sub(n_before))
        };
        // A benchmark is read at the times of the symbols' bars, so its series is kept.
        Self { bars: self.bars.iter().map(since).collect(), ..self.clone() }
    }
}
