//! Rows as they were found made a sound series, with a list of what was wrong or strange about them.
//!
//! In: rows in any order. Out: an [`Inspection`]: the bars that are sound, and findings by kind. Repaired is only what can
//! be repaired without a guess: the order, equal duplicates, a rounding. Nothing is filled.

mod finding;
mod row;
mod series;
#[cfg(test)]
mod tests;

use self::finding::FindingCollector;
pub use self::finding::{Finding, FindingKind, Place, Severity};
pub use self::series::{Split, missing_days, suspected_splits};
use super::failure::refused;
use super::series::Bars;
use super::source::{Found, Reading, Row};
use oculus_job::code::ErrorCode;
use oculus_job::warning::Warning;
use oculus_job::{failure::Failure, request::Timeframe};

/// A symbol's rows, looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspection {
    /// What the rows were read from, for messages.
    pub origin: String,
    /// The sound bars; only where nothing is refused are they all there is.
    pub bars: Bars,
    /// What was found, one of a kind, the gravest kinds first.
    pub findings: Vec<Finding>,
}

/// Sorts by time, merges equal duplicates, and checks every bar and what lies between them.
pub fn inspect(found: Found, symbol: &str, timeframe: Timeframe) -> Inspection {
    let Found { origin, mut rows } = found;
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
                findings
                    .add(FindingKind::DuplicateRows, row, || format!("equal to {} {}", word(&origin), earlier.line));
                continue;
            }
            Some(earlier) if earlier.time == row.time => {
                findings.add(FindingKind::ConflictingRows, row, || {
                    format!("stands in {}s {} and {} with different values", word(&origin), earlier.line, row.line)
                });
                continue;
            }
            _ if row::push(&mut bars, row, &mut findings) => lines.push(row.line),
            _ => {}
        }
        earlier = Some(row);
    }
    drop(rows);
    series::look_at(&bars, &lines, timeframe, &mut findings);
    Inspection { origin, bars, findings: findings.sorted() }
}

impl Inspection {
    /// That the rows are no sound bars, by the first thing that is wrong with them.
    pub fn refusal(&self) -> Option<Failure> {
        let refusals = || self.findings.iter().filter(|finding| finding.kind.severity() == Severity::Refused);
        let first = refusals().min_by_key(|finding| finding.order())?;
        let n_more = refusals().map(|finding| finding.count).sum::<usize>() - 1;
        let more =
            if n_more > 0 { format!("; and {n_more} more, `oculus-host bars check` lists all") } else { String::new() };
        Some(refused(ErrorCode::BadBars, format!("{}{more}", self.message(first)), first.kind.hint()))
    }

    /// What the reader of a result should know, one a kind.
    pub fn warnings(&self) -> Vec<Warning> {
        let others = self.findings.iter().filter(|finding| finding.kind.severity() != Severity::Refused);
        others.map(|finding| Warning::new(finding.kind.code(), self.message(finding))).collect()
    }

    /// A finding in words: its first place, and how often there is the like.
    pub fn message(&self, finding: &Finding) -> String {
        let Finding { kind, count, places } = finding;
        let (origin, symbol, summary) = (&self.origin, &self.bars.symbol, kind.summary());
        let Some(Place { row, when, what, .. }) = places.first() else { return format!("{origin}: {summary}") };
        match kind {
            FindingKind::WrongSpacing => format!("{origin} has {what}"),
            FindingKind::ConflictingRows => format!("{origin}: {when} {what}"),
            _ if kind.severity() == Severity::Refused => {
                format!("{origin} {} {row} ({when}): {what}", word(origin))
            }
            _ => format!("{symbol}: {summary}: {count}, first {when} ({} {row}): {what}", word(origin)),
        }
    }
}

/// What the places of a source are counted in.
fn word(origin: &str) -> &'static str {
    if origin.ends_with(".csv") { "line" } else { "row" }
}

/// What was read of a symbol as a sound series; what the reader should know goes to `warnings`.
///
/// # Errors
/// `bad_bars` where the rows are no sound bars.
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
