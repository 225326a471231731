//! The requirements that the later stages have for the bars. The caller passes them in, so that
//! this stage does not depend on the later ones.

use oculus_job::request::Job;

/// The requirements that the later stages of a job have for its bars.
#[derive(Clone, Debug)]
pub struct BarsNeeds<'a> {
    /// The job: symbols, timeframe, years, horizons.
    pub job: &'a Job,
    /// Symbols with which features compare the symbols of the job.
    pub benchmarks: Vec<String>,
    /// Number of rows that a prediction reads, up to and including its own row. The warm-up is
    /// longer by this number of bars.
    pub lookback_rows: usize,
    /// Computes, from the number of warm-up bars, how many bars precede the first row of the
    /// feature table.
    pub warm_up_bars: fn(&Job, usize) -> usize,
}
