//! Findings about bars. Each kind of finding has a stable code and a list of places.

use std::collections::BTreeMap;

use oculus_job::request::Timeframe;
use oculus_job::warning::WarningCode;
use serde::Serialize;

use crate::bars::session::format_bar_time;
use crate::bars::source::Row;

/// Number of places that are kept per kind. A damaged file may have one finding per row.
const MAX_PLACES: usize = 3;
const HINT: &str = "correct the file; missing or invalid bars are never guessed";

/// The consequence of a finding for a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The job is refused.
    Refused,
    /// The bars are repaired without a guess, and the job's result has a warning.
    Repaired,
    /// The bars are not changed, and the job's result has a warning.
    Noted,
}

/// Kinds of findings, the most severe first. [`FindingKind::severity`] and the order of reports
/// depend on this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingKind {
    /// Rows with the same time but different values.
    ConflictingRows,
    /// A price that is not positive, or implausibly small or large.
    PriceOutOfRange,
    /// A volume that is negative or implausibly large.
    VolumeOutOfRange,
    /// A high that is below another price of its bar, or a low that is above one.
    InconsistentBar,
    /// Bars of another timeframe.
    WrongSpacing,
    /// Rows that are earlier than the previous row.
    UnsortedRows,
    /// Rows with the same time and equal values.
    DuplicateRows,
    /// A high that is below another price of its bar, or a low that is above one, by only a
    /// rounding error.
    HighLowRounded,
    /// A jump of prices by the ratio of a split, while the volume changes in the other direction.
    SuspectedSplit,
    /// A close that is less than half or more than double the previous close.
    ExtremeJump,
    /// An open that is far from the closes around it.
    OpenSpike,
    /// A high that is far above the other prices of its bar and the previous close.
    HighSpike,
    /// A low that is far below the other prices of its bar and the previous close.
    LowSpike,
    /// A volume that is far above the volumes around it.
    VolumeSpike,
    /// Several consecutive weekdays, or whole weeks, without a bar.
    LongGaps,
    /// Dates without a bar on which other symbols traded.
    Gaps,
    /// Sessions with fewer than half of the usual number of bars.
    ShortSessions,
    /// Runs of bars with the same prices.
    StalePrices,
    /// Bars without volume.
    ZeroVolume,
}

impl FindingKind {
    /// Every kind, the most severe first.
    pub const ALL: [Self; 19] = [
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
        Self::OpenSpike,
        Self::HighSpike,
        Self::LowSpike,
        Self::VolumeSpike,
        Self::LongGaps,
        Self::Gaps,
        Self::ShortSessions,
        Self::StalePrices,
        Self::ZeroVolume,
    ];

    /// Returns the stable code of the kind.
    pub fn code(self) -> WarningCode {
        self.describe().0
    }

    /// Returns a summary of the kind for messages.
    pub fn summary(self) -> &'static str {
        self.describe().1
    }

    /// Returns the consequence of the kind for a job.
    pub fn severity(self) -> Severity {
        match self {
            kind if kind <= Self::WrongSpacing => Severity::Refused,
            kind if kind <= Self::HighLowRounded => Severity::Repaired,
            _ => Severity::Noted,
        }
    }

    /// Returns the remedy for a kind that refuses a job.
    pub fn hint(self) -> &'static str {
        match self {
            Self::WrongSpacing => "provide bars of the job's timeframe, or set the job's timeframe to that of the bars",
            Self::VolumeOutOfRange => {
                "correct the file; if its volumes are -1 because they are unknown, as in feeds of forex, write 0"
            }
            _ => HINT,
        }
    }

    /// Returns the stable code of the kind and its summary.
    fn describe(self) -> (WarningCode, &'static str) {
        match self {
            Self::ConflictingRows => (WarningCode::ConflictingRows, "rows with the same time but different values"),
            Self::PriceOutOfRange => (WarningCode::PriceOutOfRange, "prices that are not positive, or implausible"),
            Self::VolumeOutOfRange => (WarningCode::VolumeOutOfRange, "volumes that are negative or implausible"),
            Self::InconsistentBar => {
                (WarningCode::InconsistentBar, "highs below or lows above other prices of the bar")
            }
            Self::WrongSpacing => (WarningCode::WrongSpacing, "bars of another timeframe"),
            Self::UnsortedRows => (WarningCode::UnsortedRows, "rows out of order, sorted"),
            Self::DuplicateRows => (WarningCode::DuplicateRows, "equal rows with the same time, merged"),
            Self::HighLowRounded => (WarningCode::HighLowRounded, "highs or lows with a rounding error, corrected"),
            Self::SuspectedSplit => (WarningCode::SuspectedSplit, "suspected splits in unadjusted prices"),
            Self::ExtremeJump => {
                (WarningCode::ExtremeJump, "closes less than half or more than double the previous close")
            }
            Self::OpenSpike => (WarningCode::OpenSpike, "opens far from the closes around them"),
            Self::HighSpike => (WarningCode::HighSpike, "highs far above the other prices"),
            Self::LowSpike => (WarningCode::LowSpike, "lows far below the other prices"),
            Self::VolumeSpike => (WarningCode::VolumeSpike, "volumes far above the volumes around them"),
            Self::LongGaps => (WarningCode::LongGaps, "long gaps, not filled"),
            Self::Gaps => (WarningCode::Gaps, "dates without a bar on which other symbols traded, not filled"),
            Self::ShortSessions => {
                (WarningCode::ShortSessions, "sessions with fewer than half of the usual bars, not filled")
            }
            Self::StalePrices => (WarningCode::StalePrices, "runs of five or more bars with the same prices"),
            Self::ZeroVolume => (WarningCode::ZeroVolume, "bars without volume"),
        }
    }
}

/// The place of a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FindingPlace {
    /// Number of the row, in the unit of its source.
    pub row: usize,
    /// Start of the bar, seconds since 1970-01-01 UTC.
    #[serde(skip)]
    pub time: i64,
    /// Start of the bar, formatted as in files of bars.
    pub when: String,
    /// The values found and, for a finding that refuses the job, the values expected.
    #[serde(rename = "what")]
    pub detail: String,
}

/// All findings of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Kind of the findings.
    pub kind: FindingKind,
    /// Number of the findings.
    pub count: usize,
    /// The first places, at most three.
    pub places: Vec<FindingPlace>,
}

impl Finding {
    /// Returns a key by which findings are sorted to select the first error of a series. The
    /// finding with the earliest bar is first. A wrong spacing concerns all bars, so it is last.
    pub(super) fn sort_key(&self) -> (bool, Option<i64>) {
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

    /// Adds a finding at a row.
    ///
    /// * `detail`: called only if the place is kept.
    pub(super) fn add(&mut self, kind: FindingKind, row: &Row, detail: impl FnOnce() -> String) {
        self.add_at(kind, row.line, row.time, detail);
    }

    /// Adds a finding at a row number and time.
    ///
    /// * `detail`: called only if the place is kept.
    pub(super) fn add_at(&mut self, kind: FindingKind, row: usize, time: i64, detail: impl FnOnce() -> String) {
        let finding = self.found.entry(kind).or_insert_with(|| Finding { kind, count: 0, places: Vec::new() });
        finding.count += 1;
        if finding.places.len() < MAX_PLACES {
            let when = format_bar_time(time, self.timeframe);
            finding.places.push(FindingPlace { row, time, when, detail: detail() });
        }
    }

    /// Returns one finding per kind, the most severe kinds first.
    pub(super) fn sorted(self) -> Vec<Finding> {
        self.found.into_values().collect()
    }
}
