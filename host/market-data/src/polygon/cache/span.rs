//! The span of days of a cache file, encoded in its name.
//!
//! In: days, or a name. Out: a name, or a [`CachedSpan`]. Invariant: parsing the name of a span
//! returns the same span.

use oculus_pipeline::date::{days_since_epoch, iso_date};

use crate::polygon::calendar::Days;

/// The days of a cache file, and the day on which they were fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CachedSpan {
    /// The days of the file.
    pub days: Days,
    /// Date of the fetch, in New York time. Prices are adjusted for every split up to this date.
    pub as_of: i32,
}

impl CachedSpan {
    /// Returns the name of the span's file or folder, such as
    /// `2024-01-02_2024-07-09@2024-07-10.parquet`.
    pub(super) fn name(self, ending: &str) -> String {
        let Days { first, last } = self.days;
        format!("{}_{}@{}.{ending}", iso_date(first), iso_date(last), iso_date(self.as_of))
    }

    /// Parses the name of a file or folder. Returns `None` if the name has another form.
    pub(super) fn from_name(name: &str, ending: &str) -> Option<Self> {
        let (days, as_of) = name.strip_suffix(ending)?.strip_suffix('.')?.split_once('@')?;
        let (first, last) = days.split_once('_')?;
        let day = |text: &str| text.parse().ok().map(days_since_epoch);
        Some(Self { days: Days::new(day(first)?, day(last)?)?, as_of: day(as_of)? })
    }
}
