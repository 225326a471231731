//! Prints the progress of a run to standard error.

use std::time::{Duration, Instant};

use crate::fault::Fault;
use crate::options::Options;
use crate::restored::RestoreSummary;
use crate::server_group::FailOverMethod;
use crate::suite::Suite;

/// The interval of progress lines.
const PRINT_EVERY: Duration = Duration::from_secs(5);

/// Prints the seed, and how to repeat the run.
pub(crate) fn print_start(options: &Options) {
    let kinds: Vec<String> = options.faults.iter().map(ToString::to_string).collect();
    eprintln!("seed {}, {} workers, lease of {} s", options.seed, options.workers, options.lease);
    eprintln!("faults: {}", kinds.join(", "));
}

/// Prints a fault.
pub(crate) fn print_fault(fault: &Fault, is_injected: bool) {
    eprintln!("{fault}{}", if is_injected { "" } else { "  (skipped: no target)" });
}

/// Prints which jobs are left after a snapshot was restored.
pub(crate) fn print_restored(summary: &RestoreSummary) {
    eprintln!("           restored: {summary}");
}

/// Prints how a primary was made unavailable.
///
/// * `lag`: the time for which its replica had received no writes.
pub(crate) fn print_failure(method: FailOverMethod, lag: Duration) {
    eprintln!("           primary: {method:?}, the replica lags by {:.2} s", lag.as_secs_f64());
}

/// Prints which jobs are left after a fail-over.
///
/// * `after`: the time since the loss of the former primary, if a fault caused it.
pub(crate) fn print_promotion(summary: &RestoreSummary, after: Option<Duration>) {
    let cause = after.map_or("without a fault".to_owned(), |after| format!("after {:.1} s", after.as_secs_f64()));
    eprintln!("           new primary {cause}: {summary}");
}

/// Prints a line at intervals.
pub(crate) struct Printer {
    last: Instant,
}

impl Printer {
    /// Creates a printer that prints its first line after one interval.
    pub(crate) fn new(suite: &Suite) -> Self {
        Self { last: suite.started.max(Instant::now()) }
    }

    /// Prints a line if an interval has passed.
    pub(crate) fn print_if_due(&mut self, suite: &Suite) {
        if self.last.elapsed() < PRINT_EVERY {
            return;
        }
        self.last = Instant::now();
        let witness = suite.witness.lock();
        let ledger = &witness.ledger;
        eprintln!(
            "{:7.1} s  {} jobs pushed, {} results accepted, {} jobs without a result, {} claims",
            suite.started.elapsed().as_secs_f64(),
            ledger.records.len(),
            ledger.n_accepted,
            ledger.open.len(),
            ledger.claims.len(),
        );
    }
}
