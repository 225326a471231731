//! The report of a run, as a table and as JSON.

use std::fmt;
use std::time::Duration;

use clap::ValueEnum;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use serde_json::{Value, json};

use crate::fault::{FaultKind, FaultSet};
use crate::injector::{FaultCount, Injected};
use crate::jobs::JobNumber;
use crate::ledger::Ledger;
use crate::options::Options;
use crate::recovery::quantile;
use crate::suite::Suite;

/// The columns of the table.
const COLUMNS: [&str; 10] =
    ["fault", "injected", "skipped", "jobs", "lost", "outdated", "accepted twice", "p50", "p99", "max"];

/// The number of violations that the table shows in detail.
const N_SHOWN: usize = 10;

/// A guarantee that was violated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ViolationKind {
    /// A job has no result.
    Lost,
    /// The result is not for the newest payload.
    Outdated,
    /// Redis accepted a result that it should have rejected.
    AcceptedTwice,
    /// No injected fault explains a dead letter.
    UnexplainedLetter,
}

/// A violation, with the job and the faults that affected it.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    pub(crate) kind: ViolationKind,
    pub(crate) job: Option<JobNumber>,
    pub(crate) faults: FaultSet,
    pub(crate) details: String,
    /// The lines of the workers' logs about the job.
    pub(crate) log_lines: Vec<String>,
}

impl Violation {
    fn to_json(&self) -> Value {
        json!({ "violation": self.to_string(), "log": self.log_lines })
    }
}

/// The outcome of a run.
#[derive(Clone, Debug)]
pub struct Report {
    options: Options,
    rows: Vec<Row>,
    total: Totals,
    quiet_after: Option<Duration>,
    violations: Vec<Violation>,
    unexpected_exits: Vec<String>,
    full_disk_method: Option<&'static str>,
    seconds: f64,
}

/// The figures of one kind of fault. A job that several kinds affected counts in each of their rows.
#[derive(Clone, Debug)]
struct Row {
    name: String,
    count: FaultCount,
    n_jobs: usize,
    n_lost: usize,
    n_outdated: usize,
    n_accepted_twice: usize,
    /// Recovery times in ascending order.
    recovery: Vec<Duration>,
}

/// The figures of the whole run.
#[derive(Clone, Debug)]
struct Totals {
    n_jobs: usize,
    n_results: u64,
    n_forgotten: usize,
    n_lost: usize,
    n_outdated: usize,
    n_accepted_twice: usize,
    n_explained_letters: u32,
    n_unexplained_letters: usize,
    n_reaped_without_fault: u32,
    /// The times from the loss of a primary to the promotion of its replica, in ascending order.
    promotions: Vec<Duration>,
}

impl Report {
    pub(crate) fn new(
        suite: &Suite,
        ledger: &Ledger,
        injected: &Injected,
        violations: Vec<Violation>,
        quiet_after: Option<Duration>,
    ) -> Self {
        let options = suite.options.clone();
        let mut rows: Vec<Row> =
            options.faults.iter().map(|kind| row_of_kind(*kind, ledger, injected, &violations)).collect();
        rows.push(row_without_fault(ledger, &violations));
        Self {
            rows,
            total: Totals::new(ledger, &violations),
            quiet_after,
            violations,
            unexpected_exits: injected.unexpected_exits.clone(),
            full_disk_method: injected.full_disk_method,
            seconds: suite.started.elapsed().as_secs_f64(),
            options,
        }
    }

    /// Returns whether every guarantee holds: nothing is lost, outdated or accepted twice, every dead
    /// letter is explained, no worker exited on its own, and the queue became empty in time.
    pub fn is_ok(&self) -> bool {
        self.violations.is_empty() && self.unexpected_exits.is_empty() && self.quiet_after.is_some()
    }

    /// Returns the number of faults that were injected.
    pub fn n_injected(&self) -> u32 {
        self.rows.iter().map(|row| row.count.n_injected).sum()
    }

    /// Returns the report as JSON.
    pub fn to_json(&self) -> Value {
        let total = &self.total;
        let kinds = self.options.faults.iter().map(ToString::to_string).collect::<Vec<_>>();
        json!({
            "seed": self.options.seed,
            "workers": self.options.workers,
            "lease_seconds": self.options.lease,
            "faults": kinds,
            "seconds": self.seconds,
            "jobs": total.n_jobs,
            "results_accepted": total.n_results,
            "forgotten": total.n_forgotten,
            "lost": total.n_lost,
            "outdated": total.n_outdated,
            "accepted_twice": total.n_accepted_twice,
            "dead_letters": { "explained": total.n_explained_letters, "unexplained": total.n_unexplained_letters },
            "reaped_without_fault": total.n_reaped_without_fault,
            "promotions": total.promotions.len(),
            "promotion_p50_seconds": seconds_at(&total.promotions, 0.5),
            "promotion_max_seconds": seconds_at(&total.promotions, 1.0),
            "quiet_after_seconds": self.quiet_after.map(|time| time.as_secs_f64()),
            "quiet_limit_seconds": self.options.quiet_limit,
            "full_disk": self.full_disk_method,
            "unexpected_exits": self.unexpected_exits,
            "violations": self.violations.iter().map(Violation::to_json).collect::<Vec<_>>(),
            "rows": self.rows.iter().map(Row::to_json).collect::<Vec<_>>(),
        })
    }

    /// Returns the table as Markdown.
    pub fn to_markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let rule = format!("| --- |{}\n", " ---: |".repeat(COLUMNS.len() - 1));
        let rows: String = self.rows.iter().map(|row| line(&row.cells())).collect();
        line(&COLUMNS.map(str::to_owned)) + &rule + &rows
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED);
        table.set_header(COLUMNS);
        for row in &self.rows {
            table.add_row(row.cells());
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = &self.total;
        writeln!(f, "{}", self.table())?;
        writeln!(
            f,
            "{} jobs, {} results accepted: {} lost, {} outdated, {} accepted twice, {} forgotten by Redis",
            total.n_jobs, total.n_results, total.n_lost, total.n_outdated, total.n_accepted_twice, total.n_forgotten
        )?;
        let (explained, unexplained) = (total.n_explained_letters, total.n_unexplained_letters);
        writeln!(f, "dead letters: {explained} explained by faults, {unexplained} unexplained")?;
        writeln!(f, "leases that expired without a fault: {}", total.n_reaped_without_fault)?;
        if let (Some(p50), Some(max)) = (seconds_at(&total.promotions, 0.5), seconds_at(&total.promotions, 1.0)) {
            let n = total.promotions.len();
            writeln!(f, "{n} fail-overs, from the fault to the new primary: p50 {p50:.2} s, max {max:.2} s")?;
        }
        match self.quiet_after {
            Some(time) => writeln!(f, "the queue was empty {:.1} s after the last fault", time.as_secs_f64())?,
            None => writeln!(f, "the queue was not empty {} s after the last fault", self.options.quiet_limit)?,
        }
        for violation in self.violations.iter().take(N_SHOWN) {
            writeln!(f, "{violation}")?;
        }
        if let Some(n_more) = self.violations.len().checked_sub(N_SHOWN + 1) {
            writeln!(f, "and {} more violations; --json FILE lists all", n_more + 1)?;
        }
        for exit in &self.unexpected_exits {
            writeln!(f, "exited without a fault: {exit}")?;
        }
        write!(f, "seed {}, {:.0} s", self.options.seed, self.seconds)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.kind {
            ViolationKind::Lost => "lost",
            ViolationKind::Outdated => "outdated result",
            ViolationKind::AcceptedTwice => "accepted twice",
            ViolationKind::UnexplainedLetter => "unexplained dead letter",
        };
        write!(f, "{name}: ")?;
        if let Some(job) = self.job {
            write!(f, "job {job}; affected by ")?;
            let faults = FaultKind::value_variants().iter().filter(|kind| self.faults.contains(**kind));
            let faults: Vec<String> = faults.map(ToString::to_string).collect();
            write!(f, "{}; ", if faults.is_empty() { "no fault".to_owned() } else { faults.join(", ") })?;
        }
        f.write_str(&self.details)
    }
}

impl Totals {
    fn new(ledger: &Ledger, violations: &[Violation]) -> Self {
        let records = || ledger.records.values().filter(|record| record.is_pushed());
        Self {
            n_jobs: records().count(),
            n_results: ledger.n_accepted,
            n_forgotten: records().filter(|record| record.is_forgotten).count(),
            n_lost: count(violations, ViolationKind::Lost, |_| true),
            n_outdated: count(violations, ViolationKind::Outdated, |_| true),
            n_accepted_twice: count(violations, ViolationKind::AcceptedTwice, |_| true),
            n_explained_letters: ledger.n_explained_letters,
            n_unexplained_letters: ledger.unexplained.len(),
            n_reaped_without_fault: ledger.n_reaped_without_fault,
            promotions: ledger.recovery.promotions(),
        }
    }
}

/// Returns the time at a share of a sample in ascending order, in seconds.
fn seconds_at(sorted: &[Duration], share: f64) -> Option<f64> {
    quantile(sorted, share).map(|time| (time.as_secs_f64() * 1000.0).round() / 1000.0)
}

fn count(violations: &[Violation], kind: ViolationKind, is_included: impl Fn(FaultSet) -> bool) -> usize {
    violations.iter().filter(|violation| violation.kind == kind && is_included(violation.faults)).count()
}

fn row_of_kind(kind: FaultKind, ledger: &Ledger, injected: &Injected, violations: &[Violation]) -> Row {
    let recovery = ledger.recovery.times_of(kind);
    let count = injected.counts.get(&kind).copied().unwrap_or_default();
    Row::new(kind.to_string(), count, recovery, ledger, violations, |faults| faults.contains(kind))
}

fn row_without_fault(ledger: &Ledger, violations: &[Violation]) -> Row {
    Row::new("none".to_owned(), FaultCount::default(), Vec::new(), ledger, violations, FaultSet::is_empty)
}

impl Row {
    fn new(
        name: String,
        count_of_faults: FaultCount,
        recovery: Vec<Duration>,
        ledger: &Ledger,
        violations: &[Violation],
        is_included: impl Fn(FaultSet) -> bool,
    ) -> Self {
        Self {
            name,
            count: count_of_faults,
            n_jobs: ledger.records.values().filter(|record| record.is_pushed() && is_included(record.faults)).count(),
            n_lost: count(violations, ViolationKind::Lost, &is_included),
            n_outdated: count(violations, ViolationKind::Outdated, &is_included),
            n_accepted_twice: count(violations, ViolationKind::AcceptedTwice, &is_included),
            recovery,
        }
    }

    /// Returns the recovery time at a share of the sample, in seconds.
    fn recovery_at(&self, share: f64) -> Option<f64> {
        seconds_at(&self.recovery, share)
    }

    fn cells(&self) -> Vec<String> {
        let seconds = |share| self.recovery_at(share).map_or_else(|| "–".to_owned(), |time| format!("{time:.2} s"));
        let counts = [self.n_jobs, self.n_lost, self.n_outdated, self.n_accepted_twice].map(|n| n.to_string());
        let faults = [self.name.clone(), self.count.n_injected.to_string(), self.count.n_skipped.to_string()];
        [faults.as_slice(), &counts, &[seconds(0.5), seconds(0.99), seconds(1.0)]].concat()
    }

    fn to_json(&self) -> Value {
        json!({
            "fault": self.name,
            "injected": self.count.n_injected,
            "skipped": self.count.n_skipped,
            "jobs": self.n_jobs,
            "lost": self.n_lost,
            "outdated": self.n_outdated,
            "accepted_twice": self.n_accepted_twice,
            "recoveries": self.recovery.len(),
            "recovery_p50_seconds": self.recovery_at(0.5),
            "recovery_p99_seconds": self.recovery_at(0.99),
            "recovery_max_seconds": self.recovery_at(1.0),
        })
    }
}
