//! Compares the final state of Redis with the ledger.
//!
//! In: a quiet Redis and the ledger. Out: the [`Report`]. Every pushed job must have one final
//! result, of its newest payload.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::fault::FaultSet;
use crate::injector::Injected;
use crate::job_record::JobRecord;
use crate::jobs::{JobNumber, ResultSummary, id_of};
use crate::ledger::Ledger;
use crate::report::{Report, Violation, ViolationKind};
use crate::restored::read_versions;
use crate::suite::Suite;

/// Error codes of results that state no version: an operator finds these jobs in the dead letters,
/// which are checked separately.
const CODES_WITHOUT_VERSION: [&str; 3] = ["job_crashed", "worker_vanished", "payload_missing"];

/// The number of violations for which the report contains lines of the workers' logs.
const N_WITH_LOG: usize = 50;

/// Reads all results and returns the report.
///
/// # Errors
/// Returns an error if Redis does not respond.
pub(crate) fn check(suite: &Suite, injected: &Injected, quiet_after: Option<Duration>) -> Result<Report> {
    let mut connection = suite.server.lock().connect()?;
    let mut witness = suite.witness.lock();
    let ledger = witness.catch_up().context("cannot read the append-only file")?;
    ledger.find_abandoned(Duration::ZERO);
    let jobs: Vec<JobNumber> = ledger.records.iter().filter(|(_, r)| r.is_pushed()).map(|(job, _)| *job).collect();
    let results =
        read_versions(&mut connection, "result", &jobs, ResultSummary::read).context("cannot read results")?;
    let mut violations = Vec::new();
    for job in &jobs {
        if let Some(record) = ledger.records.get(job) {
            violations.extend(violations_of(*job, record, results.get(job)));
        }
    }
    violations.extend(violations_of_letters(ledger));
    add_log_lines(suite, &mut violations);
    Ok(Report::new(suite, ledger, injected, violations, quiet_after))
}

fn violations_of(job: JobNumber, record: &JobRecord, result: Option<&ResultSummary>) -> Vec<Violation> {
    let violation = |kind, details: String| Violation {
        kind,
        job: Some(job),
        faults: record.faults,
        details,
        log_lines: Vec::new(),
    };
    let mut found = Vec::new();
    match result {
        _ if record.is_abandoned => {
            let details =
                format!("its worker gave it up after Redis had reverted to an older state; {}", record.describe());
            found.push(violation(ViolationKind::Lost, details));
        }
        None if record.is_forgotten => {}
        None => found.push(violation(ViolationKind::Lost, record.describe())),
        Some(result) if is_expected(record, result) => {}
        Some(result) => {
            found.push(violation(ViolationKind::Outdated, format!("found {result}, {}", record.describe())))
        }
    }
    if record.n_accepted_twice > 0 {
        found.push(violation(ViolationKind::AcceptedTwice, record.describe()));
    }
    found
}

/// Returns whether a result may be the final one of a job.
fn is_expected(record: &JobRecord, result: &ResultSummary) -> bool {
    let is_cancelled = record.is_cancelled && result.status == "cancelled";
    match result.version {
        Some(version) => record.expected_versions.contains(&version) || is_cancelled,
        None => is_cancelled || CODES_WITHOUT_VERSION.contains(&result.code.as_str()),
    }
}

fn violations_of_letters(ledger: &Ledger) -> impl Iterator<Item = Violation> + '_ {
    ledger.unexplained.iter().map(|(job, details)| Violation {
        kind: ViolationKind::UnexplainedLetter,
        job: *job,
        faults: job.and_then(|job| ledger.records.get(&job)).map_or_else(FaultSet::default, |record| record.faults),
        details: details.clone(),
        log_lines: Vec::new(),
    })
}

/// Adds the lines of the workers' logs that name the job of a violation.
fn add_log_lines(suite: &Suite, violations: &mut [Violation]) {
    if violations.is_empty() {
        return;
    }
    let logs: Vec<String> = suite.slots.iter().map(|slot| slot.lock().log()).collect();
    for violation in violations.iter_mut().take(N_WITH_LOG) {
        let Some(job) = violation.job else { continue };
        let id = format!("\"{}\"", id_of(job));
        for (idx, log) in logs.iter().enumerate() {
            let lines = log.lines().filter(|line| line.contains(&id));
            violation.log_lines.extend(lines.map(|line| format!("worker {idx}: {line}")));
        }
    }
}
