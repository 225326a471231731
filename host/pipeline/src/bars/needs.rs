//! The requirements of the later stages for the bars; they pass them in, so that this stage imports none of them.

use oculus_job::request::Job;

/// The requirements of the later stages of a job for its bars.
#[derive(Clone, Debug)]
pub struct BarsNeeds<'a> {
    /// The job: symbols, timeframe, years, horizons.
    pub job: &'a Job,
    /// Symbols that features compare with.
    pub benchmarks: Vec<String>,
    /// Rows up to and including its own that a prediction reads; this many more bars are kept.
    pub lookback_rows: usize,
    /// Computes, from the bars of warm-up that are available, how many the features use up before their first row.
    pub warm_up_bars: fn(&Job, usize) -> usize,
}
