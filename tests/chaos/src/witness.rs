//! The witness of a run: reads the append-only file into the ledger.
//!
//! In: the append-only file. Out: an up-to-date [`Ledger`].

use std::io;
use std::path::Path;
use std::time::Instant;

use crate::append_only_file::AppendOnlyFile;
use crate::event::events_of;
use crate::ledger::Ledger;

/// The reader of the append-only file, with the ledger that it fills.
pub(crate) struct Witness {
    file: AppendOnlyFile,
    /// The ledger. Call [`Witness::catch_up`] before it is read.
    pub(crate) ledger: Ledger,
}

impl Witness {
    /// Creates a witness of an empty Redis.
    pub(crate) fn new(folder: &Path) -> Self {
        Self { file: AppendOnlyFile::new(folder), ledger: Ledger::default() }
    }

    /// Applies everything that Redis has committed so far, and returns the ledger.
    ///
    /// # Errors
    /// Returns [`io::Error`] if the file cannot be read.
    pub(crate) fn catch_up(&mut self) -> io::Result<&mut Ledger> {
        let transactions = self.file.read()?;
        let at = Instant::now();
        for event in transactions.iter().flat_map(events_of) {
            self.ledger.apply(event, at);
        }
        Ok(&mut self.ledger)
    }

    /// Reads the rest of the file after Redis was killed, before it restarts.
    ///
    /// # Errors
    /// Returns [`io::Error`] if the file cannot be read.
    pub(crate) fn redis_died(&mut self) -> io::Result<()> {
        self.catch_up()?;
        self.file.drop_incomplete()
    }

    /// Continues with the new files of a Redis that was restored from a snapshot.
    pub(crate) fn redis_restored(&mut self, folder: &Path) {
        self.file = AppendOnlyFile::new(folder);
    }
}
