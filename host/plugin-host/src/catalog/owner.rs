//! The thread that owns the catalog's state: it receives messages, updates the journal, and
//! publishes snapshots.
//!
//! In: [`Message`]s. Out: snapshots, changes of the journal, and examinations. Each examination
//! runs on its own thread, which sends the result as a message. Invariants: no other thread changes
//! the state. A batch of messages produces at most one new snapshot. While the folder cannot be
//! read, active plugins stay active.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Instant;

use anyhow::anyhow;
use tokio::sync::watch;

use super::examine::{ExamineError, examine};
use super::journal::{Finding, PostponedExamination, ProbeVerdict};
use super::journal_file::JournalFile;
use super::message::{Message, ReplySender};
use super::quarantine::{Rollback, record_usage};
use super::retry::Retries;
use super::schedule::{Schedule, Task, TaskKind};
use super::snapshot::Snapshot;
use super::status::CatalogState;
use super::watch::FolderWatcher;
use crate::config::{PluginsConfig, Trust};
use crate::discover;
use crate::file_id::FileId;
use crate::health::PluginHealth;
use crate::trust::TrustList;

/// The maximum number of messages per snapshot. The limit keeps a flood of messages from delaying
/// the snapshot forever.
const MAX_BATCH: usize = 256;

/// The state of the owner thread.
pub(super) struct Owner {
    state: CatalogState,
    journal: JournalFile,
    schedule: Schedule<ReplySender<()>>,
    retries: Retries,
    /// SHA-256 of each build whose verdict comes from the journal, until this process confirms the
    /// verdict. While the folder is watched, the active builds in this set are examined again.
    unconfirmed: HashSet<String>,
    watcher: Option<FolderWatcher>,
    has_changed: bool,
    /// Callers that receive a reply after the next snapshot is published.
    replies: Vec<ReplySender<()>>,
    /// Sender of messages to this thread, cloned for each thread that it starts.
    messages: Sender<Message>,
    snapshot: watch::Sender<Arc<Snapshot>>,
}

impl Owner {
    /// Creates the state of a folder that has not been scanned yet.
    pub(super) fn new(
        state: CatalogState,
        journal: JournalFile,
        messages: Sender<Message>,
        snapshot: watch::Sender<Arc<Snapshot>>,
    ) -> Self {
        let unconfirmed = state.journal.verdicts.keys().filter(|sha256| state.verdict(sha256).is_some());
        let unconfirmed = unconfirmed.cloned().collect();
        Self {
            state,
            journal,
            schedule: Schedule::new(),
            retries: Retries::default(),
            unconfirmed,
            watcher: None,
            has_changed: false,
            replies: Vec::new(),
            messages,
            snapshot,
        }
    }

    /// Runs until [`Message::Close`].
    pub(super) fn run(mut self, messages: &Receiver<Message>) {
        loop {
            let now = Instant::now();
            // While the folder is not watched and no caller waits, no retry is started. A due retry
            // must not wake this thread at such a time, because the loop would spin.
            let retry_at = self.retries.next_due().filter(|_| self.schedule.must_detect_changes());
            let first = match self.schedule.next_wake_up(now).into_iter().chain(retry_at).min() {
                None => messages.recv().map_err(RecvTimeoutError::from),
                Some(at) => messages.recv_timeout(at.saturating_duration_since(now)),
            };
            // The wait above may have been long, so the time is read again.
            let now = Instant::now();
            for message in first.into_iter().chain(messages.try_iter()).take(MAX_BATCH) {
                match message {
                    Message::Watch => self.watch(now),
                    Message::PathChanged => self.schedule.on_path_changed(now),
                    Message::Scan(reply) => self.schedule.wait_for_scan(reply, now),
                    Message::Probed(task, result) => self.on_probed(&task, result, now),
                    Message::JobFinished(plugins, reply) => self.on_job_finished(&plugins, reply),
                    Message::Rollback(rollback, reply) => self.on_rollback(rollback, reply),
                    Message::GetState(reply) => {
                        self.state.journal = self.journal.current();
                        let _ = reply.send(Ok(self.state.clone()));
                    }
                    Message::SetTrust(trust) => self.set_trust(trust),
                    Message::Close => return,
                }
            }
            self.advance(now);
        }
    }

    /// Performs everything that is due: scans the folder, starts tasks, and replies to callers.
    fn advance(&mut self, now: Instant) {
        if self.has_changed || self.schedule.is_scan_due(now) || self.is_due_without_event(now) {
            self.refresh(now);
        }
        while let Some(task) = self.schedule.start_next(now) {
            self.start(task);
        }
        self.replies.extend(self.schedule.take_finished_waiters(self.retries.has_pending(), now));
        for reply in self.replies.drain(..) {
            // The caller may have stopped waiting, which is not an error.
            let _ = reply.send(Ok(()));
        }
    }

    /// Returns true if a retry is due, if the journal has changed, or if the list of trusted
    /// libraries has changed. These changes produce no event in the plugins folder.
    fn is_due_without_event(&self, now: Instant) -> bool {
        self.schedule.must_detect_changes()
            && (self.retries.next_due().is_some_and(|at| at <= now)
                || self.journal.has_changed()
                || TrustList::read(&self.state.config.trust) != *self.state.trusted)
    }

    fn watch(&mut self, now: Instant) {
        let messages = self.messages.clone();
        let watcher = FolderWatcher::new(move || _ = messages.send(Message::PathChanged));
        let watcher = watcher.inspect_err(|error| {
            tracing::warn!(
                "cannot receive file-system events of the plugins folder ({error}), so it is scanned only every 10 s"
            );
        });
        self.watcher = watcher.ok();
        self.schedule.watch(now);
    }

    /// Publishes the status of all files, and queues examinations of those that need one.
    fn refresh(&mut self, now: Instant) {
        self.has_changed = false;
        self.read_trust();
        self.state.journal = self.journal.current();
        let config = Arc::clone(&self.state.config);
        // The watch starts before the files are listed, so that a file published after the listing
        // causes an event.
        if let Some(watcher) = self.watcher.as_mut().filter(|_| self.schedule.is_scan_due(now)) {
            watcher.follow(&config.dir);
        }
        match discover::libraries(&config.dir) {
            Ok(files) => {
                let tasks = self.tasks(&files, now);
                self.schedule.on_scanned(tasks, now);
                let entries = files.iter().map(|path| self.state.entry(path, &self.retries)).collect();
                let next = Snapshot { entries };
                // Subscribers are woken only by a change.
                if **self.snapshot.borrow() != next {
                    self.snapshot.send_replace(Arc::new(next));
                }
            }
            Err(error) => {
                // Without the list of files, nothing can be examined. The snapshot is kept, and a
                // later scan queues the examinations again.
                self.schedule.on_scanned(Vec::new(), now);
                self.retries.retain(|_| false);
                let waiters = self.schedule.take_waiters();
                // A waiting caller reports the error itself.
                if waiters.is_empty() {
                    tracing::warn!("{error:#}; active plugins stay active");
                }
                waiters.iter().for_each(|waiter| _ = waiter.send(Err(anyhow!("{error:#}"))));
            }
        }
    }

    fn set_trust(&mut self, trust: Trust) {
        let config = PluginsConfig { trust, ..(*self.state.config).clone() };
        self.state.config = Arc::new(config);
        // The next refresh reads the list and publishes what follows from it.
        self.has_changed = true;
    }

    fn read_trust(&mut self) {
        let trusted = TrustList::read(&self.state.config.trust);
        if trusted.problems != self.state.trusted.problems {
            trusted.problems.iter().for_each(|problem| tracing::warn!("{problem}"));
        }
        self.state.trusted = Arc::new(trusted);
    }

    /// Returns the examinations to queue now. Examinations that callers wait for precede all
    /// others. Within each of these two groups, the most recently published file is first.
    fn tasks(&mut self, files: &[PathBuf], now: Instant) -> Vec<Task> {
        // The binary search is valid because the list of files is sorted.
        self.retries.retain(|path| files.binary_search(path).is_ok());
        let unconfirmed = if self.schedule.is_watching() { &self.unconfirmed } else { &HashSet::new() };
        let mut tasks = Vec::new();
        for path in files {
            let Ok(file_id) = FileId::from_path(path) else { continue };
            match self.state.next_task(path, file_id, unconfirmed) {
                Some(task) if self.retries.begin(&task, now) => tasks.push(task),
                Some(_) => {}
                // Another process may have recorded a verdict meanwhile.
                None => self.retries.remove(path),
            }
        }
        tasks.sort_by_key(|task| Reverse((task.is_awaited, task.file_id.changed_at())));
        tasks
    }

    /// Starts a task on a separate thread.
    fn start(&mut self, task: Task) {
        if let Some(active) = self.state.journal.active(&task.path).filter(|_| task.kind == TaskKind::Active) {
            // Each active build is confirmed once per process, whatever the result.
            self.unconfirmed.remove(&active.sha256);
        }
        let state = self.state.clone();
        let messages = self.messages.clone();
        let running = task.clone();
        let run = move || {
            let result = examine(&state, &running);
            let _ = messages.send(Message::Probed(running, result));
        };
        if let Err(error) = std::thread::Builder::new().name("examination".to_owned()).spawn(run) {
            tracing::warn!("cannot start a thread to examine `{}`: {error}", task.path.display());
            self.schedule.on_finished(&task);
        }
    }

    fn on_probed(&mut self, task: &Task, result: Result<Finding, ExamineError>, now: Instant) {
        self.schedule.on_finished(task);
        self.has_changed = true;
        let recorded = match &result {
            Ok(finding) => self.record(&task.path, finding),
            Err(error) => self.postpone(task, error),
        };
        let recorded = recorded.map_err(|error| ExamineError::Refused {
            reason: format!("cannot record the result of its examination: {error}"),
        });
        match result.and(recorded) {
            Ok(()) => self.retries.remove(&task.path),
            Err(error) => self.retries.add(task, error.into(), now),
        }
    }

    fn record(&mut self, path: &Path, finding: &Finding) -> io::Result<()> {
        // The copy of a failed build is kept while the journal refers to the build: another host
        // build may have accepted this build and may still use the copy.
        let has_failed = matches!(finding.verdict, Some(ProbeVerdict::Failed { .. }));
        if has_failed && !self.journal.current().refers_to(&finding.sha256) {
            self.state.store.remove(&finding.sha256);
        }
        self.journal.update(|journal| journal.record_finding(path, finding, &utc_now()))
    }

    /// Records that an examination had no result, so that a restarted host does not wait for
    /// another examination.
    fn postpone(&mut self, task: &Task, error: &ExamineError) -> io::Result<()> {
        let ExamineError::Refused { reason } = error else { return Ok(()) };
        let environment = self.state.environment.to_string();
        let postponed = PostponedExamination { file_id: task.file_id, reason: reason.clone(), environment };
        self.journal.update(|journal| {
            journal.postpone(&task.path, postponed);
            // The earlier verdict no longer holds, because jobs would fail for the same reason as
            // the examination.
            if task.kind == TaskKind::Active {
                journal.forget_active(&task.path, &self.state.host);
            }
        })
    }

    fn on_job_finished(&mut self, plugins: &[PluginHealth], reply: ReplySender<()>) {
        // If the folder cannot be read, nothing is counted; `refresh` reports the error.
        let files = discover::libraries(&self.state.config.dir).unwrap_or_default();
        let written = self.journal.update(|journal| {
            // All files are searched, because a job reports only hashes, and several files may
            // contain the same build.
            for path in &files {
                plugins.iter().for_each(|plugin| record_usage(&self.state, journal, path, plugin, &utc_now()));
            }
        });
        self.reply_once_published(written, reply);
    }

    fn on_rollback(&mut self, rollback: Rollback, reply: ReplySender<()>) {
        let written = self.journal.update(|journal| rollback.apply(journal, &utc_now()));
        self.reply_once_published(written, reply);
    }

    fn reply_once_published(&mut self, written: io::Result<()>, reply: ReplySender<()>) {
        self.has_changed = true;
        match written {
            Ok(()) => self.replies.push(reply),
            Err(error) => _ = reply.send(Err(error.into())),
        }
    }
}

fn utc_now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
