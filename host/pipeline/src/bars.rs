//! Market bars: read, validated, one series per symbol, cut to the span of the job.
//!
//! In: a source of bars and the job. Out: a [`Market`], symbols in the job's order. Invariant: every series is
//! strictly ascending, finite and positive, with `low ≤ open, close ≤ high`.

mod benchmarks;
mod cut;
mod failure;
mod horizon;
mod load;
mod market;
mod needs;
mod series;
mod session;
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
pub use self::session::{moment, time_column};
pub use self::source::{FetchProgress, FetchProgressFn, Found, Reach, Reading, Row, RowUnit, Source, Wanted};
pub use self::span::LabelledSpan;
pub(crate) use self::span::TEST_ONE_IN;
pub use self::validate::{
    Finding, FindingKind, Inspection, Place, Severity, Split, inspect, missing_days, sound, suspected_splits,
};
