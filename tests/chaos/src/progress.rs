//! Prints the progress of a run to standard error.

use std::time::{Duration, Instant};

use crate::fault::Fault;
use crate::options::Options;
use crate::restored::RestoreSummary;
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

/// Prints what is left after a snapshot was restored.
pub(crate) fn print_restored(summary: &RestoreSummary) {
    let RestoreSummary { n_known, n_held, n_forgotten } = summary;
    eprintln!("           restored: Redis knows {n_known} jobs, only workers know {n_held}, forgotten {n_forgotten}");
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
