//! Injects the faults of the schedule, and removes each fault at its end.
//!
//! In: the schedule. Out: real signals, cut connections, full disks, and requests to the producer.
//! Invariant: when the injector returns, every process runs and every connection is open.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use oculus_tests::processes;

use crate::event::Token;
use crate::fail_over::RECONNECT_LIMIT;
use crate::fault::{Fault, FaultKind};
use crate::jobs::JobNumber;
use crate::ledger::Ledger;
use crate::producer::Request;
use crate::progress;
use crate::restored::Reversion;
use crate::schedule::Schedule;
use crate::server::SingleServer;
use crate::server_group::FailOverMethod;
use crate::suite::{POLL_EVERY, Suite};

/// The time for which the injector looks for a process to kill.
const SEARCH_TIME: Duration = Duration::from_millis(500);

/// The time within which the sentinels must fail over.
const FAIL_OVER_LIMIT: Duration = Duration::from_secs(60);

/// The time for which a fail-over waits until the servers are ready for it.
const REJOIN_LIMIT: Duration = Duration::from_secs(20);

/// The number of milliseconds by which a replica lags at most when the primary fails.
const MAX_LAG_MS: usize = 2000;

/// The interval of snapshots.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(2);

/// The number of faults of a kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FaultCount {
    /// Faults that were injected.
    pub(crate) n_injected: u32,
    /// Faults without a target, such as a kill of a job process when none was running.
    pub(crate) n_skipped: u32,
}

/// The faults that were injected.
#[derive(Default)]
pub(crate) struct Injected {
    /// The number of faults per kind.
    pub(crate) counts: BTreeMap<FaultKind, FaultCount>,
    /// How the disk of a spool was filled.
    pub(crate) full_disk_method: Option<&'static str>,
    /// Workers that exited although the suite did not kill them.
    pub(crate) unexpected_exits: Vec<String>,
}

/// Injects faults.
pub(crate) struct Injector<'s> {
    suite: &'s Suite,
    requests: Sender<Request>,
    schedule: Schedule,
    /// The faults that last until a time.
    active: Vec<(Instant, Fault)>,
    last_snapshot: Instant,
    injected: Injected,
}

impl<'s> Injector<'s> {
    /// Creates the injector of a run.
    pub(crate) fn new(suite: &'s Suite, requests: Sender<Request>, schedule: Schedule) -> Self {
        Self {
            suite,
            requests,
            schedule,
            active: Vec::new(),
            last_snapshot: Instant::now(),
            injected: Injected::default(),
        }
    }

    /// Injects faults until the run stops, then removes all faults.
    ///
    /// # Errors
    /// Returns an error if a fault cannot be injected or removed.
    pub(crate) fn run(mut self) -> Result<Injected> {
        if self.suite.options.faults.contains(&FaultKind::RestoreSnapshot) {
            self.save_snapshot()?;
        }
        while let Some(fault) = self.schedule.next() {
            if !self.wait_for(&fault)? {
                break;
            }
            self.inject(&fault)?;
        }
        self.wait_for_jobs()?;
        self.remove_all()?;
        Ok(self.injected)
    }

    /// Waits until the time of a fault, and removes other faults in the meantime. Returns false if
    /// the run stops first.
    fn wait_for(&mut self, fault: &Fault) -> Result<bool> {
        let at = self.suite.started + fault.at;
        if self.suite.options.fault_time().is_some_and(|time| fault.at > time) {
            return Ok(false);
        }
        while Instant::now() < at {
            self.remove_due()?;
            self.save_snapshot_if_due()?;
            if self.suite.options.minutes.is_none() && self.suite.is_producer_done.load(Ordering::Relaxed) {
                return Ok(false);
            }
            std::thread::sleep(POLL_EVERY);
        }
        self.remove_due()?;
        self.restart_exited_workers();
        Ok(true)
    }

    /// Waits until all jobs are pushed, if their number is given.
    fn wait_for_jobs(&mut self) -> Result<()> {
        while self.suite.options.jobs.is_some() && !self.suite.is_producer_done.load(Ordering::Relaxed) {
            self.remove_due()?;
            self.restart_exited_workers();
            std::thread::sleep(POLL_EVERY);
        }
        Ok(())
    }

    fn inject(&mut self, fault: &Fault) -> Result<()> {
        let is_injected = match fault.kind {
            FaultKind::KillWorker => self.kill_worker(fault)?,
            FaultKind::KillJob => self.kill_process(fault, "job")?,
            FaultKind::KillPlugin => self.kill_process(fault, "plugin-process")?,
            FaultKind::FreezeWorker => self.freeze_worker(fault)?,
            FaultKind::KillRedis | FaultKind::RestoreSnapshot => self.kill_redis(fault)?,
            FaultKind::FreezeRedis => self.freeze_redis(fault)?,
            FaultKind::FailOver => self.fail_over(fault)?,
            FaultKind::CutConnections => self.cut_connections(fault)?,
            FaultKind::StallConnections => self.stall_connections(fault)?,
            FaultKind::FullSpool => self.fill_spool(fault)?,
            FaultKind::DuplicatePush | FaultKind::ChangedPayload => self.push_again(fault)?,
            FaultKind::CancelClaim | FaultKind::CancelKey => self.cancel(fault)?,
        };
        progress::print_fault(fault, is_injected);
        let count = self.injected.counts.entry(fault.kind).or_default();
        count.n_injected += u32::from(is_injected);
        count.n_skipped += u32::from(!is_injected);
        if is_injected && !fault.lasts.is_zero() {
            self.active.push((Instant::now() + fault.lasts, fault.clone()));
        }
        Ok(())
    }

    fn kill_worker(&mut self, fault: &Fault) -> Result<bool> {
        let mut slot = self.suite.slots[fault.slot].lock();
        if !slot.is_alive() {
            return Ok(false);
        }
        let at = Instant::now();
        let pid = slot.pid();
        slot.kill();
        let spooled = slot.spooled_jobs();
        let lease_ttl = self.suite.options.lease_ttl();
        self.update(|ledger| {
            ledger.find_abandoned(lease_ttl);
            // The proxy may still forward a fetch of the dead worker, so later claims expire too.
            ledger.disturb_worker(fault.kind, pid, at + lease_ttl * 10);
            ledger.interrupt_worker(fault.kind, pid, at);
            ledger.worker_died(pid, &spooled);
        })?;
        Ok(true)
    }

    /// Kills a process of a worker. Looks for it in all workers, because most jobs end quickly.
    fn kill_process(&mut self, fault: &Fault, role: &str) -> Result<bool> {
        let deadline = Instant::now() + SEARCH_TIME;
        let n = self.suite.slots.len();
        while Instant::now() < deadline {
            for offset in 0..n {
                let slot = self.suite.slots[(fault.slot + offset) % n].lock();
                let pids = slot.processes(role);
                let Some(pid) = pids.get(fault.pick % pids.len().max(1)).copied() else { continue };
                let worker_pid = slot.pid();
                let at = Instant::now();
                self.update(|ledger| {
                    if fault.kind == FaultKind::KillJob {
                        ledger.job_process_killed(worker_pid, at);
                    } else {
                        ledger.mark_worker(fault.kind, worker_pid);
                    }
                })?;
                if processes::kill_if_running(pid) {
                    return Ok(true);
                }
            }
            std::thread::sleep(POLL_EVERY);
        }
        Ok(false)
    }

    fn freeze_worker(&mut self, fault: &Fault) -> Result<bool> {
        let slot = self.suite.slots[fault.slot].lock();
        if !slot.is_alive() {
            return Ok(false);
        }
        let at = Instant::now();
        slot.freeze();
        self.update(|ledger| {
            ledger.disturb_worker(fault.kind, slot.pid(), at + fault.lasts);
            ledger.interrupt_worker(fault.kind, slot.pid(), at);
        })?;
        Ok(true)
    }

    fn kill_redis(&mut self, fault: &Fault) -> Result<bool> {
        let mut server = self.suite.server.lock();
        let Some(server) = server.single() else { return Ok(false) };
        let is_restore = fault.kind == FaultKind::RestoreSnapshot;
        if !server.is_up() || (is_restore && !server.has_snapshot()) {
            return Ok(false);
        }
        if is_restore {
            for slot in &self.suite.slots {
                if let Some(proxy) = slot.lock().proxy() {
                    proxy.close();
                }
            }
        }
        server.kill();
        let mut witness = self.suite.witness.lock();
        witness.redis_died().context("cannot read the append-only file")?;
        witness.ledger.find_abandoned(self.suite.options.lease_ttl());
        drop(witness);
        self.disturb_all(fault)?;
        Ok(true)
    }

    fn freeze_redis(&mut self, fault: &Fault) -> Result<bool> {
        let mut server = self.suite.server.lock();
        let Some(server) = server.single().filter(|server| server.is_up()) else { return Ok(false) };
        server.freeze();
        self.disturb_all(fault)?;
        Ok(true)
    }

    /// Makes the primary unavailable. Its replica lacks the last writes, as under load or on a slow
    /// network.
    fn fail_over(&mut self, fault: &Fault) -> Result<bool> {
        // The sentinels may not have noticed yet that the last fail-over is over.
        let limit = Instant::now() + REJOIN_LIMIT;
        while !self.suite.server.lock().group().is_some_and(|group| group.stop_replication()) {
            if Instant::now() > limit {
                return Ok(false);
            }
            self.remove_due()?;
            std::thread::sleep(POLL_EVERY);
        }
        let lag = Duration::from_millis((fault.pick % MAX_LAG_MS) as u64);
        std::thread::sleep(lag);
        let method = FailOverMethod::pick(fault.pick);
        if let Some(group) = self.suite.server.lock().group() {
            group.fail(method);
        }
        progress::print_failure(method, lag);
        let lease_ttl = self.suite.options.lease_ttl();
        self.update(|ledger| ledger.find_abandoned(lease_ttl))?;
        self.disturb_all(fault)?;
        Ok(true)
    }

    fn cut_connections(&mut self, fault: &Fault) -> Result<bool> {
        let slot = self.suite.slots[fault.slot].lock();
        let Some(proxy) = slot.proxy() else { return Ok(false) };
        proxy.cut(fault.kind);
        self.update(|ledger| ledger.disturb_worker(fault.kind, slot.pid(), Instant::now()))?;
        Ok(true)
    }

    fn stall_connections(&mut self, fault: &Fault) -> Result<bool> {
        let slot = self.suite.slots[fault.slot].lock();
        let Some(proxy) = slot.proxy() else { return Ok(false) };
        proxy.stall();
        self.update(|ledger| ledger.disturb_worker(fault.kind, slot.pid(), Instant::now() + fault.lasts))?;
        Ok(true)
    }

    /// Fills the disk of a spool. A worker uses its spool only while Redis does not respond, so the
    /// connections are stalled too. Without a proxy, the fault needs a fail-over at the same time.
    fn fill_spool(&mut self, fault: &Fault) -> Result<bool> {
        self.injected.full_disk_method = Some(self.suite.slots[fault.slot].lock().fill_disk()?);
        self.stall_connections(fault)?;
        Ok(true)
    }

    /// Pushes a job again: for every second fault a running job, otherwise any job without a result.
    fn push_again(&mut self, fault: &Fault) -> Result<bool> {
        let running = self.pick_running(fault)?.map(|(_, job)| job).filter(|_| fault.pick.is_multiple_of(2));
        let job = match running {
            Some(job) => Some(job),
            None => self.update(|ledger| pick(&ledger.open.iter().copied().collect::<Vec<_>>(), fault.pick))?,
        };
        let Some(job) = job else { return Ok(false) };
        self.update(|ledger| ledger.mark(fault.kind, Some(job)))?;
        let changes = fault.kind == FaultKind::ChangedPayload;
        Ok(self.requests.send(Request::PushAgain { job, changes }).is_ok())
    }

    fn cancel(&mut self, fault: &Fault) -> Result<bool> {
        let Some((token, job)) = self.pick_running(fault)? else { return Ok(false) };
        self.update(|ledger| ledger.cancel(fault.kind, job, Instant::now()))?;
        let is_by_claim = fault.kind == FaultKind::CancelClaim;
        let request = if is_by_claim { Request::CancelClaim(token) } else { Request::CancelKey(job) };
        Ok(self.requests.send(request).is_ok())
    }

    /// Returns a job that is running, if there is one.
    fn pick_running(&self, fault: &Fault) -> Result<Option<(Token, JobNumber)>> {
        self.update(|ledger| {
            let running = ledger.claims_where(|claim| claim.is_started);
            let running = running.into_iter().filter_map(|(token, claim)| Some((token, claim.job?)));
            pick(&running.collect::<Vec<_>>(), fault.pick)
        })
    }

    /// Records that a fault of Redis affects all workers. Their leases may expire until they have
    /// reconnected.
    fn disturb_all(&self, fault: &Fault) -> Result<()> {
        let until = Instant::now() + fault.lasts + self.suite.options.lease_ttl();
        let live = self.suite.live_workers();
        self.update(|ledger| ledger.disturb_all(fault.kind, &live, until))
    }

    fn update<T>(&self, change: impl FnOnce(&mut Ledger) -> T) -> Result<T> {
        let mut witness = self.suite.witness.lock();
        Ok(change(witness.catch_up().context("cannot read the append-only file")?))
    }

    fn remove_due(&mut self) -> Result<()> {
        let now = Instant::now();
        let is_failing_over = self.is_failing_over()?;
        let (due, active): (Vec<_>, _) = std::mem::take(&mut self.active)
            .into_iter()
            .partition(|(until, fault)| *until <= now && !(is_failing_over && fault.kind == FaultKind::FailOver));
        self.active = active;
        due.iter().try_for_each(|(_, fault)| self.remove(fault))
    }

    /// Returns whether no other server has become the primary since a fail-over was injected. The
    /// former primary must not return before, because it would remain the primary.
    ///
    /// # Errors
    /// Returns an error if the sentinels have not failed over in time.
    fn is_failing_over(&self) -> Result<bool> {
        let failed_at = self.suite.server.lock().group().and_then(|group| group.failed_at());
        ensure!(failed_at.is_none_or(|at| at.elapsed() < FAIL_OVER_LIMIT), "no fail-over within {FAIL_OVER_LIMIT:?}");
        Ok(failed_at.is_some())
    }

    /// Waits until the last fault ends.
    fn remove_all(&mut self) -> Result<()> {
        while !self.active.is_empty() {
            self.remove_due()?;
            std::thread::sleep(POLL_EVERY);
        }
        self.restart_exited_workers();
        self.update(|ledger| ledger.recovery.drop_open_returns())
    }

    fn remove(&mut self, fault: &Fault) -> Result<()> {
        match fault.kind {
            FaultKind::KillWorker => self.suite.slots[fault.slot].lock().restart(),
            FaultKind::FreezeWorker => self.suite.slots[fault.slot].lock().thaw(),
            FaultKind::StallConnections => self.resume_connections(fault),
            FaultKind::FullSpool => {
                self.suite.slots[fault.slot].lock().free_disk();
                self.resume_connections(fault);
            }
            FaultKind::FreezeRedis => self.on_single_server(|server| server.thaw()),
            FaultKind::KillRedis => self.on_single_server(SingleServer::restart),
            FaultKind::FailOver => self.restore_former_primary()?,
            FaultKind::RestoreSnapshot => self.restore_snapshot(fault)?,
            _ => return Ok(()),
        }
        if matches!(fault.kind, FaultKind::FreezeRedis | FaultKind::KillRedis | FaultKind::RestoreSnapshot) {
            self.update(|ledger| ledger.recovery.redis_returned(fault.kind, Instant::now()))?;
        }
        Ok(())
    }

    fn resume_connections(&self, fault: &Fault) {
        if let Some(proxy) = self.suite.slots[fault.slot].lock().proxy() {
            proxy.resume(fault.kind);
        }
    }

    fn on_single_server(&self, change: impl FnOnce(&mut SingleServer)) {
        if let Some(server) = self.suite.server.lock().single() {
            change(server);
        }
    }

    /// Makes a former primary available again. Workers may reach it until it is a replica.
    fn restore_former_primary(&self) -> Result<()> {
        if let Some(group) = self.suite.server.lock().group() {
            group.restore_former();
        }
        let live = self.suite.live_workers();
        let until = Instant::now() + RECONNECT_LIMIT;
        self.update(|ledger| ledger.disturb_all(FaultKind::FailOver, &live, until))
    }

    /// Restores a snapshot, and reads the restored state before a worker or the producer can
    /// connect.
    fn restore_snapshot(&self, fault: &Fault) -> Result<()> {
        let _gate = self.suite.gate.lock();
        let live = self.suite.live_workers();
        let mut server = self.suite.server.lock();
        let mut witness = self.suite.witness.lock();
        if let Some(server) = server.single() {
            server.restore(fault.pick);
        }
        let reversion = Reversion { kind: fault.kind, live: &live, lease_ttl: self.suite.options.lease_ttl() };
        let summary = witness.continue_with(server.primary(), reversion)?;
        progress::print_restored(&summary);
        for slot in &self.suite.slots {
            if let Some(proxy) = slot.lock().proxy() {
                proxy.open();
            }
        }
        Ok(())
    }

    /// Saves a snapshot at intervals, so that a restored one is some seconds old.
    fn save_snapshot_if_due(&mut self) -> Result<()> {
        let is_wanted = self.suite.options.faults.contains(&FaultKind::RestoreSnapshot);
        let is_redis_affected = self.active.iter().any(|(_, fault)| {
            matches!(fault.kind, FaultKind::FreezeRedis | FaultKind::KillRedis | FaultKind::RestoreSnapshot)
        });
        if !is_wanted || is_redis_affected || self.last_snapshot.elapsed() < SNAPSHOT_EVERY {
            return Ok(());
        }
        self.last_snapshot = Instant::now();
        self.save_snapshot()
    }

    fn save_snapshot(&self) -> Result<()> {
        self.suite.server.lock().single().map_or(Ok(()), SingleServer::save_snapshot)
    }

    /// Restarts workers that exited although the suite did not kill them, and records them.
    fn restart_exited_workers(&mut self) {
        for (idx, slot) in self.suite.slots.iter().enumerate() {
            let mut slot = slot.lock();
            if slot.has_exited_unexpectedly() {
                let seconds = self.suite.started.elapsed().as_secs_f64();
                self.injected.unexpected_exits.push(format!("worker {idx}, process {}, at {seconds:.1} s", slot.pid()));
                slot.restart();
            }
        }
    }
}

/// Returns the item that a random number selects.
fn pick<T: Copy>(items: &[T], number: usize) -> Option<T> {
    items.get(number % items.len().max(1)).copied()
}
