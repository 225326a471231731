//! The days of a cached file, which are its name.
//!
//! In: days, or a name. Out: a name, or a [`Piece`]. Invariant: a name is read back as the same piece.

use oculus_pipeline::date::{days_since_epoch, iso_date};

use crate::polygon::calendar::Days;

/// Days of a file, and the day on which it was fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Piece {
    /// The days of the file.
    pub days: Days,
    /// New York's date of the fetch: prices are adjusted for every split up to it.
    pub as_of: i32,
}

impl Piece {
    /// Returns the name of the file or folder of the piece.
    pub(super) fn name(self, ending: &str) -> String {
        let Days { first, last } = self.days;
        format!("{}_{}@{}.{ending}", iso_date(first), iso_date(last), iso_date(self.as_of))
    }

    /// Returns the piece of a file or folder; `None` for another name.
    pub(super) fn from_name(name: &str, ending: &str) -> Option<Self> {
        let (days, as_of) = name.strip_suffix(ending)?.strip_suffix('.')?.split_once('@')?;
        let (first, last) = days.split_once('_')?;
        let day = |text: &str| text.parse().ok().map(days_since_epoch);
        Some(Self { days: Days::new(day(first)?, day(last)?)?, as_of: day(as_of)? })
    }
}
