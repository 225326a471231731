//! Validates rows as they were found, and makes them a sound series.
//!
//! In: rows in any order. Out: an [`Inspection`]: the sound bars, and findings by kind. Only the
//! order, equal duplicates and rounding errors are repaired, since these repairs need no guess.
//! Missing bars are never filled in.

mod finding;
mod row;
mod series;
#[cfg(test)]
mod tests;

use oculus_job::code::ErrorCode;
use oculus_job::failure::Failure;
use oculus_job::request::Timeframe;
use oculus_job::warning::Warning;

use self::finding::FindingCollector;
pub use self::finding::{Finding, FindingKind, Place, Severity};
pub use self::series::{Split, missing_days, suspected_splits};
use super::failure::refused;
use super::series::Bars;
use super::source::{Found, Reading, Row, RowUnit};

/// The result of inspecting a symbol's rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspection {
    /// What the rows were read from, for messages.
    pub origin: String,
    /// The unit of row numbers.
    pub unit: RowUnit,
    /// The sound bars; they are complete only if no finding is refused.
    pub bars: Bars,
    /// The findings, one per kind, the most severe kinds first.
    pub findings: Vec<Finding>,
}

/// Sorts by time, merges equal duplicates, and checks every bar and what lies between them.
pub fn inspect(found: Found, symbol: &str, timeframe: Timeframe) -> Inspection {
    let Found { origin, unit, mut rows } = found;
    let mut findings = FindingCollector::new(timeframe);
    for pair in rows.windows(2).filter(|pair| pair[1].time < pair[0].time) {
        findings.add(FindingKind::UnsortedRows, &pair[1], || "earlier than the one before it".to_owned());
    }
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
                    format!("stands in {}s {} and {} with different values", unit.name(), earlier.line, row.line)
                });
                continue;
            }
            _ if row::push(&mut bars, row, &mut findings) => lines.push(row.line),
            _ => {}
        }
        earlier = Some(row);
    }
    drop(rows);
    series::inspect(&bars, &lines, timeframe, &mut findings);
    Inspection { origin, unit, bars, findings: findings.sorted() }
}

impl Inspection {
    /// Returns the failure of rows that are not sound bars, with the first error; `None` for sound bars.
    pub fn refusal(&self) -> Option<Failure> {
        let refusals = || self.findings.iter().filter(|finding| finding.kind.severity() == Severity::Refused);
        let first = refusals().min_by_key(|finding| finding.order())?;
        let n_more = refusals().map(|finding| finding.count).sum::<usize>() - 1;
        let more =
            if n_more > 0 { format!("; and {n_more} more, `oculus-host bars check` lists all") } else { String::new() };
        Some(refused(ErrorCode::BadBars, format!("{}{more}", self.message(first)), first.kind.hint()))
    }

    /// Returns the warnings for the result, one per kind.
    pub fn warnings(&self) -> Vec<Warning> {
        let others = self.findings.iter().filter(|finding| finding.kind.severity() != Severity::Refused);
        others.map(|finding| Warning::new(finding.kind.code(), self.message(finding))).collect()
    }

    /// Returns the message of a finding: its first place and the number of places.
    pub fn message(&self, finding: &Finding) -> String {
        let Finding { kind, count, places } = finding;
        let origin = &self.origin;
        let symbol = &self.bars.symbol;
        let summary = kind.summary();
        let unit = self.unit.name();
        let Some(Place { row, when, what, .. }) = places.first() else { return format!("{origin}: {summary}") };
        match kind {
            FindingKind::WrongSpacing => format!("{origin} has {what}"),
            FindingKind::ConflictingRows => format!("{origin}: {when} {what}"),
            _ if kind.severity() == Severity::Refused => {
                format!("{origin} {unit} {row} ({when}): {what}")
            }
            _ => format!("{symbol}: {summary}: {count}, first {when} ({unit} {row}): {what}"),
        }
    }
}

/// Converts the rows of a symbol into a sound series, and adds to `warnings`; `None` where the symbol has no rows.
///
/// # Errors
/// `bad_bars` where the rows are not sound bars.
pub fn sound(reading: Reading, timeframe: Timeframe, warnings: &mut Vec<Warning>) -> Result<Option<Bars>, Failure> {
    warnings.extend(reading.warnings);
    let Some(found) = reading.found else { return Ok(None) };
    let inspection = inspect(found, &reading.symbol, timeframe);
    if let Some(refusal) = inspection.refusal() {
        return Err(refusal);
    }
    warnings.extend(inspection.warnings());
    Ok(Some(inspection.bars))
}
