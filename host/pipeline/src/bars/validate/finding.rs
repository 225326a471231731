//! Findings about bars: kinds with stable codes, and places.

use std::collections::BTreeMap;

use oculus_job::request::Timeframe;
use oculus_job::warning::WarningCode;
use serde::Serialize;

use crate::bars::session::moment;
use crate::bars::source::Row;

/// Places that are kept per kind.
const MOST_PLACES: usize = 3;
const HINT: &str = "correct the file; bars are never guessed or filled";

/// The consequence of a finding for a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// A job with these bars is refused.
    Refused,
    /// Repaired without a guess.
    Repaired,
    /// Left as it is, with a warning.
    Noted,
}

/// Kinds of findings, the most severe first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingKind {
    /// Two rows of one time that differ.
    ConflictingRows,
    /// A price that is not positive, or absurd.
    PriceOutOfRange,
    /// A volume that is negative or absurd.
    VolumeOutOfRange,
    /// A high below, or a low above, another price of its bar.
    InconsistentBar,
    /// Bars of another timeframe.
    WrongSpacing,
    /// Rows that are earlier than the one before.
    UnsortedRows,
    /// Equal rows of one time.
    DuplicateRows,
    /// A high or low that misses another price by a rounding.
    HighLowRounded,
    /// A jump of prices by the ratio of a split, with volume moving the other way.
    SuspectedSplit,
    /// A close less than half or more than double the one before.
    ExtremeJump,
    /// Runs of weekdays, or weeks, without a bar.
    LongGaps,
    /// Dates without a bar on which other symbols traded.
    Gaps,
    /// Sessions with less than half of the usual bars.
    ShortSessions,
    /// Runs of bars with the same prices.
    StalePrices,
    /// Bars without volume.
    ZeroVolume,
}

impl FindingKind {
    /// Every kind, the most severe first.
    pub const ALL: [Self; 15] = [
        Self::ConflictingRows,
        Self::PriceOutOfRange,
        Self::VolumeOutOfRange,
        Self::InconsistentBar,
        Self::WrongSpacing,
        Self::UnsortedRows,
        Self::DuplicateRows,
        Self::HighLowRounded,
        Self::SuspectedSplit,
        Self::ExtremeJump,
        Self::LongGaps,
        Self::Gaps,
        Self::ShortSessions,
        Self::StalePrices,
        Self::ZeroVolume,
    ];

    /// Returns its stable code.
    pub fn code(self) -> WarningCode {
        self.describe().0
    }

    /// Returns a summary in words.
    pub fn summary(self) -> &'static str {
        self.describe().1
    }

    /// Returns its consequence for a job.
    pub fn severity(self) -> Severity {
        match self {
            kind if kind <= Self::WrongSpacing => Severity::Refused,
            kind if kind <= Self::HighLowRounded => Severity::Repaired,
            _ => Severity::Noted,
        }
    }

    /// Returns what to do about a refused one.
    pub fn hint(self) -> &'static str {
        match self {
            Self::WrongSpacing => "give bars of the job's timeframe, or set the job's timeframe to that of the bars",
            _ => HINT,
        }
    }

    /// Returns its stable code and its summary in words.
    fn describe(self) -> (WarningCode, &'static str) {
        match self {
            Self::ConflictingRows => (WarningCode::ConflictingRows, "rows of one time with different values"),
            Self::PriceOutOfRange => (WarningCode::PriceOutOfRange, "prices that are not positive, or absurd"),
            Self::VolumeOutOfRange => (WarningCode::VolumeOutOfRange, "volumes that are negative or absurd"),
            Self::InconsistentBar => {
                (WarningCode::InconsistentBar, "highs below or lows above other prices of the bar")
            }
            Self::WrongSpacing => (WarningCode::WrongSpacing, "bars of another timeframe"),
            Self::UnsortedRows => (WarningCode::UnsortedRows, "rows out of order, sorted"),
            Self::DuplicateRows => (WarningCode::DuplicateRows, "equal rows of one time, merged"),
            Self::HighLowRounded => (WarningCode::HighLowRounded, "highs or lows off by a rounding, corrected"),
            Self::SuspectedSplit => (WarningCode::SuspectedSplit, "suspected splits in unadjusted prices"),
            Self::ExtremeJump => (WarningCode::ExtremeJump, "closes under half or over double the one before"),
            Self::LongGaps => (WarningCode::LongGaps, "long gaps, not filled"),
            Self::Gaps => (WarningCode::Gaps, "dates without a bar on which other symbols traded, not filled"),
            Self::ShortSessions => {
                (WarningCode::ShortSessions, "sessions with under half of the usual bars, not filled")
            }
            Self::StalePrices => (WarningCode::StalePrices, "runs of five bars or more with the same prices"),
            Self::ZeroVolume => (WarningCode::ZeroVolume, "bars without volume"),
        }
    }
}

/// The place of a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Number of the row, in the unit of its source.
    pub row: usize,
    /// Start of the bar, seconds since 1970-01-01 UTC.
    #[serde(skip)]
    pub time: i64,
    /// The start of the bar as files spell it.
    pub when: String,
    /// The values found and, for a refused finding, the values needed.
    pub what: String,
}

/// All findings of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Their kind.
    pub kind: FindingKind,
    /// Their number.
    pub count: usize,
    /// The first few places.
    pub places: Vec<Place>,
}

impl Finding {
    /// Returns the sort key: the first wrong bar comes first; the spacing, which concerns all bars, comes last.
    pub(super) fn order(&self) -> (bool, Option<i64>) {
        (self.kind == FindingKind::WrongSpacing, self.places.first().map(|place| place.time))
    }
}

/// Collects findings by kind.
pub(super) struct FindingCollector {
    timeframe: Timeframe,
    found: BTreeMap<FindingKind, Finding>,
}

impl FindingCollector {
    pub(super) fn new(timeframe: Timeframe) -> Self {
        Self { timeframe, found: BTreeMap::new() }
    }

    /// Adds a finding at a row; `what` is called only where the place is kept.
    pub(super) fn add(&mut self, kind: FindingKind, row: &Row, what: impl FnOnce() -> String) {
        self.add_at(kind, row.line, row.time, what);
    }

    /// Adds a finding at a line and time; `what` is called only where the place is kept.
    pub(super) fn add_at(&mut self, kind: FindingKind, row: usize, time: i64, what: impl FnOnce() -> String) {
        let finding = self.found.entry(kind).or_insert_with(|| Finding { kind, count: 0, places: Vec::new() });
        finding.count += 1;
        if finding.places.len() < MOST_PLACES {
            finding.places.push(Place { row, time, when: moment(time, self.timeframe), what: what() });
        }
    }

    /// Returns one finding per kind, the most severe kinds first.
    pub(super) fn sorted(self) -> Vec<Finding> {
        self.found.into_values().collect()
    }
}
