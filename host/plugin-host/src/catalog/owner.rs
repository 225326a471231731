//! The one thread that owns the catalog's state: it receives messages, records their content, and publishes snapshots.
//!
//! In: [`Message`]s. Out: examinations on threads of their own, which answer by a message; changes of the journal;
//! snapshots, exchanged as a whole. Invariants: nothing else changes the state; many messages lead to one new snapshot;
//! while the folder cannot be read, what was active stays active.

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
use super::journal::{Finding, Postponed, ProbeVerdict};
use super::journal_file::JournalFile;
use super::message::{Message, ReplySender};
use super::quarantine::{RollBack, record_usage};
use super::retry::Retries;
use super::schedule::{Schedule, Task, TaskKind};
use super::snapshot::Snapshot;
use super::status::Knowledge;
use super::watch::FolderWatcher;
use crate::discover;
use crate::file_id::FileId;
use crate::health::PluginHealth;
use crate::trust::TrustList;

/// Messages that are handled before the next snapshot. Limited, so that a flood of them cannot hold it up.
const MAX_BATCH: usize = 256;

/// The state of the catalog.
pub(super) struct Owner {
    known: Knowledge,
    journal: JournalFile,
    schedule: Schedule<ReplySender<()>>,
    retries: Retries,
    /// SHA-256 of the contents that have a verdict in the journal and were not examined by this process. Those that are
    /// active are examined once more when the folder is watched.
    unconfirmed: HashSet<String>,
    watcher: Option<FolderWatcher>,
    has_changed: bool,
    /// Callers to answer once the snapshot is published.
    replies: Vec<ReplySender<()>>,
    /// For the threads that it starts.
    messages: Sender<Message>,
    snapshot: watch::Sender<Arc<Snapshot>>,
}

impl Owner {
    /// Creates the state of a folder that was not scanned yet.
    pub(super) fn new(
        known: Knowledge,
        journal: JournalFile,
        messages: Sender<Message>,
        snapshot: watch::Sender<Arc<Snapshot>>,
    ) -> Self {
        let unconfirmed = known.journal.verdicts.keys().filter(|sha256| known.verdict(sha256).is_some());
        let unconfirmed = unconfirmed.cloned().collect();
        Self {
            known,
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
            let retry_at = self.retries.next_due().filter(|_| self.schedule.is_attentive());
            let first = match self.schedule.wake_at(now).into_iter().chain(retry_at).min() {
                None => messages.recv().map_err(RecvTimeoutError::from),
                Some(at) => messages.recv_timeout(at.saturating_duration_since(now)),
            };
            let now = Instant::now();
            for message in first.into_iter().chain(messages.try_iter()).take(MAX_BATCH) {
                match message {
                    Message::Watch => self.watch(now),
                    Message::PathChanged => self.schedule.on_path_changed(now),
                    Message::Scan(reply) => self.schedule.wait_for_scan(reply, now),
                    Message::Probed(task, result) => self.on_probed(&task, result, now),
                    Message::JobEnded(plugins, reply) => self.on_job_ended(&plugins, reply),
                    Message::RollBack(roll_back, reply) => self.on_roll_back(roll_back, reply),
                    Message::GetKnowledge(reply) => {
                        self.known.journal = self.journal.current();
                        let _ = reply.send(Ok(self.known.clone()));
                    }
                    Message::Close => return,
                }
            }
            self.advance(now);
        }
    }

    /// Does what is due: scans the folder, starts tasks, answers.
    fn advance(&mut self, now: Instant) {
        if self.has_changed || self.schedule.is_scan_due(now) || self.is_due_without_event(now) {
            self.refresh(now);
        }
        while let Some(task) = self.schedule.start_next(now) {
            self.start(task);
        }
        self.replies.extend(self.schedule.take_settled(self.retries.has_pending(), now));
        for reply in self.replies.drain(..) {
            // A caller that has gone needs no answer.
            let _ = reply.send(Ok(()));
        }
    }

    /// Returns whether a file is to be examined again, or the journal or the list of trusted libraries has changed.
    fn is_due_without_event(&self, now: Instant) -> bool {
        self.schedule.is_attentive()
            && (self.retries.next_due().is_some_and(|at| at <= now)
                || self.journal.has_changed()
                || TrustList::read(&self.known.config.trust) != *self.known.trusted)
    }

    fn watch(&mut self, now: Instant) {
        let messages = self.messages.clone();
        let watcher = FolderWatcher::new(move || _ = messages.send(Message::PathChanged));
        let watcher = watcher.inspect_err(|error| {
            tracing::warn!("no file-system events of the plugins folder ({error}): it is scanned every 10 s only");
        });
        self.watcher = watcher.ok();
        self.schedule.watch(now);
    }

    /// Goes through all files: publishes what is known of them, and queues what is not.
    fn refresh(&mut self, now: Instant) {
        self.has_changed = false;
        self.read_trust();
        self.known.journal = self.journal.current();
        let config = Arc::clone(&self.known.config);
        if let Some(watcher) = self.watcher.as_mut().filter(|_| self.schedule.is_scan_due(now)) {
            watcher.follow(&config.dir);
        }
        match discover::libraries(&config.dir) {
            Ok(files) => {
                let tasks = self.tasks(&files, now);
                self.schedule.on_scanned(tasks, now);
                let entries = files.iter().map(|path| self.known.entry(path, &self.retries)).collect();
                let next = Snapshot { entries };
                if **self.snapshot.borrow() != next {
                    self.snapshot.send_replace(Arc::new(next));
                }
            }
            Err(error) => {
                self.schedule.on_scanned(Vec::new(), now);
                self.retries.retain(|_| false);
                let waiters = self.schedule.take_waiters();
                if waiters.is_empty() {
                    tracing::warn!("{error:#}; the active plugins stay active");
                }
                waiters.iter().for_each(|waiter| _ = waiter.send(Err(anyhow!("{error:#}"))));
            }
        }
    }

    fn read_trust(&mut self) {
        let trusted = TrustList::read(&self.known.config.trust);
        if trusted.problems != self.known.trusted.problems {
            trusted.problems.iter().for_each(|problem| tracing::warn!("{problem}"));
        }
        self.known.trusted = Arc::new(trusted);
    }

    /// Returns what is to be examined now: first what callers wait for, then the file that was put here last.
    fn tasks(&mut self, files: &[PathBuf], now: Instant) -> Vec<Task> {
        self.retries.retain(|path| files.binary_search(path).is_ok());
        let unconfirmed = if self.schedule.is_watching() { &self.unconfirmed } else { &HashSet::new() };
        let mut tasks = Vec::new();
        for path in files {
            let Ok(file_id) = FileId::from_path(path) else { continue };
            match self.known.next_task(path, file_id, unconfirmed) {
                Some(task) if self.retries.begin(&task, now) => tasks.push(task),
                Some(_) => {}
                // Another process may have found a result.
                None => self.retries.remove(path),
            }
        }
        tasks.sort_by_key(|task| Reverse((task.is_awaited, task.file_id.changed_at())));
        tasks
    }

    /// Starts a task on a thread of its own.
    fn start(&mut self, task: Task) {
        if let Some(active) = self.known.journal.active(&task.path).filter(|_| task.kind == TaskKind::Active) {
            self.unconfirmed.remove(&active.sha256);
        }
        let known = self.known.clone();
        let messages = self.messages.clone();
        let running = task.clone();
        let run = move || {
            let result = examine(&known, &running);
            let _ = messages.send(Message::Probed(running, result));
        };
        if let Err(error) = std::thread::Builder::new().name("examination".to_owned()).spawn(run) {
            tracing::warn!("no thread to examine `{}`: {error}", task.path.display());
            self.schedule.on_ended(&task);
        }
    }

    fn on_probed(&mut self, task: &Task, result: Result<Finding, ExamineError>, now: Instant) {
        self.schedule.on_ended(task);
        self.has_changed = true;
        let recorded = match &result {
            Ok(finding) => self.record(&task.path, finding),
            Err(error) => self.postpone(task, error),
        };
        let recorded = recorded.map_err(|error| ExamineError::Refused {
            reason: format!("what came of its examination cannot be kept: {error}"),
        });
        match result.and(recorded) {
            Ok(()) => self.retries.remove(&task.path),
            Err(error) => self.retries.add(task, error.into(), now),
        }
    }

    fn record(&mut self, path: &Path, finding: &Finding) -> io::Result<()> {
        // Another build of the host may still use a content that fails here.
        let has_failed = matches!(finding.verdict, Some(ProbeVerdict::Failed { .. }));
        if has_failed && !self.journal.current().refers_to(&finding.sha256) {
            self.known.store.remove(&finding.sha256);
        }
        self.journal.update(|journal| journal.record_finding(path, finding, &utc_now()))
    }

    /// Records that an examination had no result, so that a restart does not wait for it.
    fn postpone(&mut self, task: &Task, error: &ExamineError) -> io::Result<()> {
        let ExamineError::Refused { reason } = error else { return Ok(()) };
        let postponed = Postponed { file_id: task.file_id, reason: reason.clone() };
        self.journal.update(|journal| {
            journal.postpone(&task.path, postponed);
            if task.kind == TaskKind::Active {
                journal.forget_active(&task.path, &self.known.host);
            }
        })
    }

    fn on_job_ended(&mut self, plugins: &[PluginHealth], reply: ReplySender<()>) {
        let files = discover::libraries(&self.known.config.dir).unwrap_or_default();
        let written = self.journal.update(|journal| {
            for path in &files {
                plugins.iter().for_each(|plugin| record_usage(&self.known, journal, path, plugin, &utc_now()));
            }
        });
        self.answer_once_published(written, reply);
    }

    fn on_roll_back(&mut self, roll_back: RollBack, reply: ReplySender<()>) {
        let written = self.journal.update(|journal| roll_back.apply(journal, &utc_now()));
        self.answer_once_published(written, reply);
    }

    fn answer_once_published(&mut self, written: io::Result<()>, reply: ReplySender<()>) {
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
