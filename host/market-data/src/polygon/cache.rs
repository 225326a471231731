//! The cached bars of one series (a symbol in a timeframe), as immutable files that are named after
//! their days.
//!
//! In: the rows of some days. Out: the cached rows of the requested days, and the spans that are
//! cached. Invariants: only the owner of a [`SeriesCache`] uses that series. A file is complete or
//! absent. If two files contain the same day, they contain the same bars of it.
//!
//! `FROM_TO@FETCHED.parquet` contains all bars of its days, if there are any. The bars are adjusted
//! for splits up to the day of the fetch. `FROM_TO@FETCHED.part/` contains the pages of an
//! unfinished fetch.

mod partial_fetch;
mod span;

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use oculus_job::request::Timeframe;
use oculus_pipeline::bars::{Row, format_bar_time};

use super::cache_file::CacheFile;
use super::calendar::{Calendar, Days};
use super::error::{PolygonError, cache_error};
use super::files;
use super::lock::lock;

pub(crate) use self::partial_fetch::{NextPage, PartialFetch};
pub(crate) use self::span::CachedSpan;

/// Number of files of a series above which adjacent files are merged. Jobs on consecutive days add
/// one small file per day.
const MANY_FILES: usize = 16;

/// The locked cache of one series.
#[derive(Debug)]
pub(crate) struct SeriesCache {
    folder: PathBuf,
    timeframe: Timeframe,
    /// The lock file. Dropping this value releases the series.
    _locked: File,
}

/// The cached part of a request.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct CachedRows {
    /// The spans of all files of the series, including files outside the requested days.
    pub spans: Vec<CachedSpan>,
    /// The rows of all files that overlap the requested days.
    pub rows: Vec<Row>,
}

/// Whether the cache has files of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SeriesState {
    /// The cache has no file of the series.
    Empty,
    /// The cache has at least one file of the series.
    Cached,
}

impl SeriesCache {
    /// Waits until no other task uses the series, and locks it.
    ///
    /// * `on_busy`: called once if another task uses the series.
    ///
    /// # Errors
    /// Returns [`PolygonError::Cache`] if the lock file cannot be opened or locked.
    pub(crate) async fn open(
        root: &Path,
        symbol: &str,
        timeframe: Timeframe,
        on_busy: &dyn Fn(),
    ) -> Result<Self, PolygonError> {
        let parent = root.join("adjusted").join(timeframe.name());
        let name = folder_name(symbol);
        // Names of series contain no lower-case letters (see `folder_name`), so `.lock` cannot be
        // part of one. The lock is next to the folder and not in it, because `clear` renames the
        // folder.
        let locked = lock(&parent.join(format!("{name}.lock")), on_busy).await?;
        Ok(Self { folder: parent.join(name), timeframe, _locked: locked })
    }

    /// Reads the cached part of the requested days. A damaged file is renamed, and its days are
    /// treated as missing from the cache.
    ///
    /// # Errors
    /// Returns [`PolygonError::Cache`] if a file cannot be read or renamed.
    pub(crate) fn load(&self, requested: Days) -> Result<CachedRows, PolygonError> {
        let mut cached = CachedRows::default();
        for span in self.spans()? {
            if span.days.overlaps(requested) {
                match self.read(span)? {
                    Some(rows) => cached.rows.extend(rows),
                    None => continue,
                }
            }
            cached.spans.push(span);
        }
        Ok(cached)
    }

    /// Stores all bars of a span.
    ///
    /// # Errors
    /// Returns [`PolygonError::Cache`] if the file cannot be written.
    pub(crate) fn store(&self, span: CachedSpan, table: &CacheFile) -> Result<(), PolygonError> {
        files::create_folder(&self.folder)?;
        table.store(&self.path(span))
    }

    /// Opens the longest unfinished fetch that begins at the first day of `days` and is within
    /// `days`. If there is none, opens a new fetch of all `days`.
    ///
    /// # Errors
    /// Returns [`PolygonError::Cache`] if the pages of the fetch cannot be read.
    pub(crate) fn fetch(&self, days: Days, as_of: i32) -> Result<PartialFetch, PolygonError> {
        // The names are in the order of their dates, so the last match is the longest fetch.
        let is_part = |fetch: &CachedSpan| fetch.days.first == days.first && days.contains(fetch.days);
        let span = self.unfinished()?.into_iter().rfind(is_part).unwrap_or(CachedSpan { days, as_of });
        PartialFetch::open(self.folder.join(span.name("part")), span)
    }

    /// Returns the spans of the unfinished fetches, sorted by name.
    ///
    /// # Errors
    /// Returns [`PolygonError::Cache`] if the folder cannot be read.
    pub(crate) fn unfinished(&self) -> Result<Vec<CachedSpan>, PolygonError> {
        let names = files::names(&self.folder)?;
        Ok(names.iter().filter_map(|name| CachedSpan::from_name(name, "part")).collect())
    }

    /// Removes the whole series. A process that is killed during this call leaves either the
    /// complete series or none of it.
    ///
    /// # Errors
    /// Returns [`PolygonError::Cache`] if the folder cannot be renamed or removed.
    pub(crate) fn clear(&self) -> Result<(), PolygonError> {
        let dropped = self.folder.with_file_name(format!("{}.dropped", self.name()));
        // The process of an earlier call may have been killed after the rename.
        files::remove_folder(&dropped)?;
        match std::fs::rename(&self.folder, &dropped) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(cache_error(&self.folder)(error)),
            _ => {}
        }
        files::remove_folder(&dropped)
    }

    /// Removes the files that killed processes left behind, and merges adjacent files if there are
    /// many.
    ///
    /// # Errors
    /// Returns [`PolygonError::Cache`] if a file cannot be read, written or removed, and
    /// [`PolygonError::Conflict`] if two files have different bars for the same time.
    pub(crate) fn tidy(&self) -> Result<(), PolygonError> {
        for name in files::names(&self.folder)?.iter().filter(|name| files::is_unfinished(name)) {
            self.remove(name)?;
        }
        let spans = self.spans()?;
        // After a fetch, a cache file contains the fetched days. The stored pages remain if the
        // process was killed before it removed them.
        for fetch in self.unfinished()? {
            if fetch.days.without(spans.iter().map(|span| span.days)).is_empty() {
                files::remove_folder(&self.folder.join(fetch.name("part")))?;
            }
        }
        if spans.len() > MANY_FILES {
            for adjacent in spans.chunk_by(|one, next| one.days.last.saturating_add(1) == next.days.first) {
                self.merge(adjacent)?;
            }
        }
        Ok(())
    }

    /// Returns whether the cache has files of the series.
    ///
    /// # Errors
    /// Returns [`PolygonError::Cache`] if the folder cannot be read.
    pub(crate) fn state(&self) -> Result<SeriesState, PolygonError> {
        Ok(if self.spans()?.is_empty() { SeriesState::Empty } else { SeriesState::Cached })
    }

    /// Returns the spans of the files, sorted by their first day. Removes each file if another file
    /// contains all of its days.
    fn spans(&self) -> Result<Vec<CachedSpan>, PolygonError> {
        let names = files::names(&self.folder)?;
        let all: Vec<CachedSpan> = names.iter().filter_map(|name| CachedSpan::from_name(name, "parquet")).collect();
        let mut spans = Vec::with_capacity(all.len());
        for (idx, span) in all.iter().enumerate() {
            // Such superfluous files remain if a process is killed during a merge. Of two files
            // with the same days, the one that was fetched first is kept.
            let is_within = |other: &CachedSpan| other.days.contains(span.days) && other.days != span.days;
            let is_duplicate = |other: &CachedSpan| other.days == span.days;
            if all.iter().any(is_within) || all[..idx].iter().any(is_duplicate) {
                self.remove(&span.name("parquet"))?;
            } else {
                spans.push(*span);
            }
        }
        spans.sort_unstable();
        Ok(spans)
    }

    /// Merges adjacent files into one. The new file has the earliest fetch day of the merged files,
    /// because splits are checked from that day on.
    fn merge(&self, adjacent: &[CachedSpan]) -> Result<(), PolygonError> {
        let ([first, _, ..], Some(last)) = (adjacent, adjacent.last()) else { return Ok(()) };
        let mut rows = Vec::new();
        for span in adjacent {
            match self.read(*span)? {
                Some(found) => rows.extend(found),
                // A damaged file leaves a gap, so the remaining files are not all adjacent.
                None => return Ok(()),
            }
        }
        let as_of = adjacent.iter().map(|span| span.as_of).min().unwrap_or(first.as_of);
        let days = Days { first: first.days.first, last: last.days.last };
        let rows = merged(rows, self.timeframe, "the cache")?;
        self.store(CachedSpan { days, as_of }, &CacheFile { rows, next: None })?;
        // The original files are removed last. A process that is killed before this step leaves
        // duplicates, which `spans` removes.
        adjacent.iter().try_for_each(|span| self.remove(&span.name("parquet")))
    }

    /// Reads the rows of a file. If the file is damaged, renames it and returns `None`.
    fn read(&self, span: CachedSpan) -> Result<Option<Vec<Row>>, PolygonError> {
        let path = self.path(span);
        let bytes = std::fs::read(&path).map_err(cache_error(&path))?;
        match CacheFile::from_bytes(&bytes) {
            Ok(table) => Ok(Some(table.rows)),
            Err(failure) => {
                let damaged_path = path.with_extension("damaged");
                tracing::warn!("cache file {} is damaged; its bars are fetched again: {failure}", path.display());
                std::fs::rename(&path, damaged_path).map_err(cache_error(&path))?;
                Ok(None)
            }
        }
    }

    fn remove(&self, name: &str) -> Result<(), PolygonError> {
        let path = self.folder.join(name);
        std::fs::remove_file(&path).map_err(cache_error(&path))
    }

    fn path(&self, span: CachedSpan) -> PathBuf {
        self.folder.join(span.name("parquet"))
    }

    fn name(&self) -> String {
        self.folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

/// Sorts rows by time and merges equal duplicates.
///
/// * `place`: origin of the rows, for the error message.
///
/// # Errors
/// Returns [`PolygonError::Conflict`] if two rows have the same time and different values.
pub(crate) fn merged(mut rows: Vec<Row>, timeframe: Timeframe, place: &str) -> Result<Vec<Row>, PolygonError> {
    rows.sort_by_key(|row| row.time);
    if let Some(pair) = rows.windows(2).find(|pair| pair[0].time == pair[1].time && pair[0].values != pair[1].values) {
        return Err(PolygonError::Conflict { place: place.to_owned(), when: format_bar_time(pair[0].time, timeframe) });
    }
    rows.dedup_by_key(|row| row.time);
    for (idx, row) in rows.iter_mut().enumerate() {
        row.line = idx + 1;
    }
    Ok(rows)
}

/// Returns the rows whose times are within `days`.
pub(crate) fn within(mut rows: Vec<Row>, days: Days, timeframe: Timeframe, calendar: &Calendar) -> Vec<Row> {
    let times = calendar.times(days, timeframe);
    rows.retain(|row| times.contains(&row.time));
    rows
}

/// Returns the folder name of a symbol. Lower-case letters and special characters are replaced by
/// `%` and their hex code, because a file system may ignore the case of names.
fn folder_name(symbol: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
    let encoded = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    symbol.bytes().map(encoded).collect()
}

#[cfg(test)]
mod tests;
