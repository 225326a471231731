//! Reads market bars, validates them, and cuts one series per symbol to the span of the job.
//!
//! In: a source of bars, and a job. Out: a [`Market`], with the symbols in the job's order.
//! Invariant: the times of a series are strictly ascending, its prices are finite and positive, and
//! `low ≤ open, close ≤ high` in every bar.

mod benchmarks;
mod cut;
mod failure;
mod horizon;
mod load;
mod market;
mod needs;
mod series;
mod session;
mod session_clock;
mod source;
mod span;
mod validate;

pub use self::benchmarks::{BenchmarkError, check_benchmark};
pub use self::failure::{listed, refused};
pub use self::horizon::{horizon_bars, median_session_bars};
pub use self::load::load;
pub use self::market::Market;
pub use self::needs::BarsNeeds;
pub use self::series::Bars;
pub use self::session::{format_bar_time, time_column};
pub use self::source::{
    BarsRequest, FetchProgress, FetchProgressFn, FoundRows, Reading, Row, RowUnit, Source, TimeRange,
};
pub use self::span::LabelledSpan;
pub(crate) use self::span::TEST_PERIOD_DIVISOR;
pub use self::validate::{
    Finding, FindingKind, FindingPlace, Inspection, Severity, SuspectedSplit, inspect, missing_days, suspected_splits,
    validated_bars,
};
