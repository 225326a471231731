//! One run: starts the parts, lets the injector work, waits until the queue is quiet, and checks.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use oculus_tests::redis_server::{LEASES, QUEUE};
use parking_lot::Mutex;
use tempfile::TempDir;

use crate::checker;
use crate::fleet::Slot;
use crate::injector::{Injected, Injector};
use crate::options::Options;
use crate::producer::Producer;
use crate::progress;
use crate::proxy::WorkerProxy;
use crate::report::Report;
use crate::schedule::Schedule;
use crate::server::{Address, Server};
use crate::witness::Witness;

/// The pause between two polls of a condition.
pub(crate) const POLL_EVERY: Duration = Duration::from_millis(5);

/// The parts of a run, which its threads share.
pub(crate) struct Suite {
    pub(crate) options: Options,
    pub(crate) started: Instant,
    /// The address at which the producer finds Redis.
    pub(crate) address: Address,
    pub(crate) server: Mutex<Server>,
    pub(crate) slots: Vec<Mutex<Slot>>,
    /// Removed after the workers, which are dropped first.
    _plugins_state: TempDir,
    pub(crate) witness: Mutex<Witness>,
    /// Held while the producer sends a request, and while a snapshot is restored.
    pub(crate) gate: Mutex<()>,
    /// The number of fail-overs that the ledger has followed.
    pub(crate) n_fail_overs: AtomicU32,
    /// True if no more jobs are to be pushed.
    pub(crate) is_stopping: AtomicBool,
    /// True if all jobs are pushed.
    pub(crate) is_producer_done: AtomicBool,
    /// True if the threads that observe the run are to exit.
    is_over: AtomicBool,
}

/// Runs the suite and returns its report.
///
/// # Errors
/// Returns an error if a part of the suite fails. A violated guarantee is not an error, but a part of
/// the report.
pub fn run(options: Options) -> Result<Report> {
    let suite = Suite::start(options)?;
    progress::print_start(&suite.options);
    let injected = suite.inject_faults()?;
    let quiet_after = suite.wait_until_quiet()?;
    suite.collect_recoveries();
    let report = checker::check(&suite, &injected, quiet_after)?;
    if let Some(folder) = &suite.options.logs {
        suite.write_logs(folder)?;
    }
    Ok(report)
}

impl Suite {
    fn start(options: Options) -> Result<Self> {
        options.check()?;
        let server = Server::start(&options)?;
        let plugins_state = tempfile::tempdir().context("cannot create a folder for the plugins")?;
        let mut slots = Vec::new();
        for _ in 0..options.workers.max(1) {
            let slot = Slot::start(&server, &options, plugins_state.path());
            // One after the other, so that later workers find the probes of the first one.
            slot.wait_until_ready();
            slots.push(Mutex::new(slot));
        }
        Ok(Self {
            started: Instant::now(),
            address: server.address(),
            witness: Mutex::new(Witness::new(&server.primary().append_only_folder())),
            slots,
            _plugins_state: plugins_state,
            options,
            server: Mutex::new(server),
            gate: Mutex::default(),
            n_fail_overs: AtomicU32::new(0),
            is_stopping: AtomicBool::new(false),
            is_producer_done: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
        })
    }

    /// Returns the number of jobs whose last push has no result yet.
    pub(crate) fn n_open(&self) -> usize {
        self.witness.lock().ledger.open.len()
    }

    /// Adds the recovery times that the proxies have measured to the ledger.
    pub(crate) fn collect_recoveries(&self) {
        for slot in &self.slots {
            let recoveries = slot.lock().proxy().map(WorkerProxy::take_recoveries).unwrap_or_default();
            let mut witness = self.witness.lock();
            recoveries.into_iter().for_each(|(kind, time)| witness.ledger.recovery.add(kind, time));
        }
    }

    /// Returns the process ids of the workers that are not dead.
    pub(crate) fn live_workers(&self) -> Vec<u32> {
        let slots = self.slots.iter().map(|slot| slot.lock());
        slots.filter(|slot| slot.is_alive()).map(|slot| slot.pid()).collect()
    }

    /// Runs the producer, the injector and the observers until the injector has removed every
    /// fault.
    fn inject_faults(&self) -> Result<Injected> {
        let (requests, received) = mpsc::channel();
        std::thread::scope(|scope| {
            let producer = scope.spawn(move || Producer::new(self).run(&received));
            let observer = scope.spawn(|| self.observe());
            let injected = Injector::new(self, requests, Schedule::new(&self.options)).run();
            self.is_stopping.store(true, Ordering::Relaxed);
            let produced = producer.join().map_err(|_| anyhow!("the producer panicked"));
            self.is_over.store(true, Ordering::Relaxed);
            observer.join().map_err(|_| anyhow!("the observer panicked"))??;
            produced??;
            injected
        })
    }

    /// Looks for a fail-over and reads the append-only file at short intervals, so that their times
    /// are exact, and prints the progress.
    fn observe(&self) -> Result<()> {
        let mut printer = progress::Printer::new(self);
        while !self.is_over.load(Ordering::Relaxed) {
            self.follow_fail_over()?;
            self.witness.lock().catch_up().context("cannot read the append-only file")?;
            printer.print_if_due(self);
            std::thread::sleep(POLL_EVERY);
        }
        Ok(())
    }

    /// Waits until no entry waits or is claimed and every spool is empty, for as long as a worker
    /// may take to restore a claim. Returns the time until then, or `None` if the limit was
    /// reached.
    fn wait_until_quiet(&self) -> Result<Option<Duration>> {
        let started = Instant::now();
        let mut connection = self.server.lock().connect()?;
        let mut printer = progress::Printer::new(self);
        let mut quiet_since: Option<Instant> = None;
        while started.elapsed() < Duration::from_secs(self.options.quiet_limit) {
            // On a slow machine, the sentinels may fail over without a fault.
            if self.follow_fail_over()? {
                connection = self.server.lock().connect()?;
            }
            self.witness.lock().catch_up().context("cannot read the append-only file")?;
            printer.print_if_due(self);
            let n_waiting: usize = redis::cmd("LLEN").arg(QUEUE).query(&mut connection)?;
            let n_claimed: usize = redis::cmd("ZCARD").arg(LEASES).query(&mut connection)?;
            let n_spooled: usize = self.slots.iter().map(|slot| slot.lock().n_spooled()).sum();
            if n_waiting + n_claimed + n_spooled > 0 {
                quiet_since = None;
            }
            // A worker may adopt a job again when it next renews its lease, so one quiet moment is
            // not sufficient.
            let since = *quiet_since.get_or_insert_with(Instant::now);
            if n_waiting + n_claimed + n_spooled == 0 && since.elapsed() > self.settle_time() {
                return Ok(Some(since - started));
            }
            std::thread::sleep(POLL_EVERY * 4);
        }
        Ok(None)
    }

    fn write_logs(&self, folder: &std::path::Path) -> Result<()> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        for (idx, slot) in self.slots.iter().enumerate() {
            let path = folder.join(format!("worker-{idx}.jsonl"));
            std::fs::write(&path, slot.lock().log()).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}
