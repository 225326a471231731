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
