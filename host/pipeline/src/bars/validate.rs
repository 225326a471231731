//! Validates the rows of a symbol and converts them into a series of bars.
//!
//! In: rows in any order. Out: an [`Inspection`] with the valid bars and the findings by kind.
//! Invariant: only the order, equal duplicates and rounding errors are repaired, because these
//! repairs do not require a guess. Missing bars are never filled in.

mod finding;
mod row;
mod series;
mod spikes;
#[cfg(test)]
mod tests;

use oculus_job::code::ErrorCode;
use oculus_job::error::JobError;
use oculus_job::request::Timeframe;
use oculus_job::warning::Warning;

use self::finding::FindingCollector;
pub use self::finding::{Finding, FindingKind, FindingPlace, Severity};
pub use self::series::{SuspectedSplit, missing_days, suspected_splits};
use super::failure::refused;
use super::series::Bars;
use super::source::{FoundRows, Reading, Row, RowUnit};

/// The result of inspecting a symbol's rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspection {
    /// Origin of the rows, for messages.
    pub origin: String,
    /// Unit of the row numbers.
    pub unit: RowUnit,
    /// Number of the rows, with duplicates.
    pub n_rows: usize,
    /// The valid bars. If a finding has the severity [`Severity::Refused`], some bars are missing
    /// here.
    pub bars: Bars,
    /// One finding per kind, the most severe kinds first.
    pub findings: Vec<Finding>,
}

/// Sorts rows by time, merges equal duplicates, and checks every bar and the series as a whole.
pub fn inspect(found: FoundRows, symbol: &str, timeframe: Timeframe) -> Inspection {
    let FoundRows { origin, unit, mut rows } = found;
    let n_rows = rows.len();
    let mut findings = FindingCollector::new(timeframe);
    for pair in rows.windows(2).filter(|pair| pair[1].time < pair[0].time) {
        findings.add(FindingKind::UnsortedRows, &pair[1], || "earlier than the previous row".to_owned());
    }
    // Rows with the same time are sorted by their line, so that their order does not depend on the
    // order in which the source returns them.
    rows.sort_by_key(|row| (row.time, row.line));
    let mut bars = Bars { symbol: symbol.to_owned(), ..Bars::default() };
    let mut lines = Vec::with_capacity(rows.len());
    let mut earlier: Option<&Row> = None;
    for row in &rows {
        match earlier {
            Some(earlier) if earlier.time == row.time && earlier.values == row.values => {
                findings.add(FindingKind::DuplicateRows, row, || format!("equal to {} {}", unit.name(), earlier.line));
                continue;
            }
            Some(earlier) if earlier.time == row.time => {
                findings.add(FindingKind::ConflictingRows, row, || {
                    format!("is in {}s {} and {} with different values", unit.name(), earlier.line, row.line)
                });
                continue;
            }
            _ if row::push(&mut bars, row, &mut findings) => lines.push(row.line),
            _ => {}
        }
        // An invalid row is remembered, too, so that a repetition of it is a duplicate and not a
        // second error.
        earlier = Some(row);
    }
    // The rows are freed, because those of a long intraday series take much memory, and the checks
    // of the series do not read them.
    drop(rows);
    series::inspect(&bars, &lines, timeframe, &mut findings);
    Inspection { origin, unit, n_rows, bars, findings: findings.sorted() }
}

impl Inspection {
    /// Returns the failure that refuses a job because of these rows, or `None` if the rows are
    /// valid bars. The failure states the first error.
    pub fn refusal(&self) -> Option<JobError> {
        let refusals = || self.findings.iter().filter(|finding| finding.kind.severity() == Severity::Refused);
        let first = refusals().min_by_key(|finding| finding.sort_key())?;
        if self.bars.is_empty() && self.n_rows > 1 {
            let n_rows = self.n_rows;
            let message =
                format!("all {n_rows} rows of {} are invalid, the first: {}", self.origin, self.message(first));
            return Some(refused(ErrorCode::BadBars, message, first.kind.hint()));
        }
        let n_more = refusals().map(|finding| finding.count).sum::<usize>() - 1;
        let more =
            if n_more > 0 { format!("; and {n_more} more, `oculus-host bars check` lists all") } else { String::new() };
        Some(refused(ErrorCode::BadBars, format!("{}{more}", self.message(first)), first.kind.hint()))
    }

    /// Returns the warnings for the result, one per kind of finding that does not refuse the job.
    pub fn warnings(&self) -> Vec<Warning> {
        let others = self.findings.iter().filter(|finding| finding.kind.severity() != Severity::Refused);
        others.map(|finding| Warning::new(finding.kind.code(), self.message(finding))).collect()
    }

    /// Returns the message of a finding, with its first place and the number of places.
    pub fn message(&self, finding: &Finding) -> String {
        let Finding { kind, count, places } = finding;
        let origin = &self.origin;
        let symbol = &self.bars.symbol;
        let summary = kind.summary();
        let unit = self.unit.name();
        let Some(FindingPlace { row, when, detail, .. }) = places.first() else {
            return format!("{origin}: {summary}");
        };
        match kind {
            FindingKind::WrongSpacing => format!("{origin} has {detail}"),
            FindingKind::ConflictingRows => format!("{origin}: {when} {detail}"),
            _ if kind.severity() == Severity::Refused => {
                format!("{origin} {unit} {row} ({when}): {detail}")
            }
            _ => format!("{symbol}: {summary}: {count}, first {when} ({unit} {row}): {detail}"),
        }
    }
}

/// Validates the rows of a symbol and returns them as a series, or `None` if the symbol has no
/// rows.
///
/// * `warnings`: receives the warnings of the reading and of the validation.
///
/// # Errors
/// Returns `bad_bars` if the rows are not valid bars.
pub fn validated_bars(
    reading: Reading,
    timeframe: Timeframe,
    warnings: &mut Vec<Warning>,
) -> Result<Option<Bars>, JobError> {
    warnings.extend(reading.warnings);
    let Some(found) = reading.found else { return Ok(None) };
    let inspection = inspect(found, &reading.symbol, timeframe);
    if let Some(refusal) = inspection.refusal() {
        return Err(refusal);
    }
    warnings.extend(inspection.warnings());
    Ok(Some(inspection.bars))
}
