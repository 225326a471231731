//! All bars of a job.

use oculus_job::request::Timeframe;
use oculus_job::warning::Warning;

use super::series::Bars;
use super::span::LabelledSpan;

/// All bars that a job uses.
#[derive(Clone, Debug, PartialEq)]
pub struct Market {
    /// One series per symbol, in the job's order of symbols.
    pub bars: Vec<Bars>,
    /// Series that features compare with, over the whole span of the symbols' bars.
    pub benchmarks: Vec<Bars>,
    /// Length of the bars.
    pub timeframe: Timeframe,
    /// Which rows may have a label: `years` back from the newest bar.
    pub span: LabelledSpan,
    /// Bars that a feature may need before its first value; features that need more are left out.
    pub warm_up_bars: usize,
    /// What was left out or shortened.
    pub warnings: Vec<Warning>,
    /// SHA-256 over the numbers of all bars used, benchmarks last, whatever the format of their files; lower-case hex.
    pub sha256: String,
}
