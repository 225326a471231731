//! The fetched bars of one symbol and timeframe, as immutable files that are named by their days.
//!
//! In: rows of some days. Out: the rows of the days wanted, and the days that are missing.
//! Invariants: the owner of a [`SeriesCache`] is the only one that uses the series; a file is
//! complete or absent; no day is in two files with different bars.
//!
//! `FROM_TO@FETCHED.parquet` has all bars of its days, which may be none, adjusted for splits as of
//! the day on which it was fetched; `FROM_TO@FETCHED.part/` has the pages of an unfinished fetch.

mod partial_fetch;
mod piece;

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use oculus_job::request::Timeframe;
use oculus_pipeline::bars::{Row, moment};

use super::calendar::{Calendar, Days};
use super::error::{PolygonError, cache_error};
use super::files;
use super::lock::lock;
use super::table::Table;

pub(crate) use self::partial_fetch::{NextPage, PartialFetch};
pub(crate) use self::piece::Piece;

/// Number of files of a series above which neighbours are merged.
const MANY_FILES: usize = 16;

/// The cache of one series, locked.
#[derive(Debug)]
pub(crate) struct SeriesCache {
    folder: PathBuf,
    timeframe: Timeframe,
    _locked: File,
}

/// The cached part of some days.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Held {
    /// All files of the series, also those of other days.
    pub pieces: Vec<Piece>,
    /// The rows of all files that overlap the days.
    pub rows: Vec<Row>,
}

/// Whether a series has been fetched before.
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
    /// * `on_busy`: called once if another task uses it.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) async fn open(
        root: &Path,
        symbol: &str,
        timeframe: Timeframe,
        on_busy: &dyn Fn(),
    ) -> Result<Self, PolygonError> {
        let parent = root.join("adjusted").join(timeframe.name());
        let name = folder_name(symbol);
        // The ending is in lower case, so it is not the folder of a series.
        let locked = lock(&parent.join(format!("{name}.lock")), on_busy).await?;
        Ok(Self { folder: parent.join(name), timeframe, _locked: locked })
    }

    /// Reads the cached part of some days. A damaged file is renamed, and its days are missing
    /// again.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn load(&self, wanted: Days) -> Result<Held, PolygonError> {
        let mut held = Held::default();
        for piece in self.pieces()? {
            if piece.days.overlaps(wanted) {
                match self.read(piece)? {
                    Some(rows) => held.rows.extend(rows),
                    None => continue,
                }
            }
            held.pieces.push(piece);
        }
        Ok(held)
    }

    /// Stores all bars of a piece.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn store(&self, piece: Piece, table: &Table) -> Result<(), PolygonError> {
        files::create_folder(&self.folder)?;
        table.store(&self.path(piece))
    }

    /// Opens the longest unfinished fetch that has the first day of `days` and no day outside of
    /// them; else a new fetch of all of them.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn fetch(&self, days: Days, as_of: i32) -> Result<PartialFetch, PolygonError> {
        let is_part = |fetch: &Piece| fetch.days.first == days.first && days.hold(fetch.days);
        let piece = self.unfinished()?.into_iter().rfind(is_part).unwrap_or(Piece { days, as_of });
        PartialFetch::open(self.folder.join(piece.name("part")), piece)
    }

    /// Returns the unfinished fetches.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn unfinished(&self) -> Result<Vec<Piece>, PolygonError> {
        let names = files::names(&self.folder)?;
        Ok(names.iter().filter_map(|name| Piece::from_name(name, "part")).collect())
    }

    /// Removes the whole series at once.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn clear(&self) -> Result<(), PolygonError> {
        let aside = self.folder.with_file_name(format!("{}.dropped", self.name()));
        files::remove_folder(&aside)?;
        match std::fs::rename(&self.folder, &aside) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(cache_error(&self.folder)(error)),
            _ => {}
        }
        files::remove_folder(&aside)
    }

    /// Removes the remains of killed processes, and merges neighbours if there are many files.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn tidy(&self) -> Result<(), PolygonError> {
        for name in files::names(&self.folder)?.iter().filter(|name| files::is_unfinished(name)) {
            self.remove(name)?;
        }
        let pieces = self.pieces()?;
        for fetch in self.unfinished()? {
            if fetch.days.without(pieces.iter().map(|piece| piece.days)).is_empty() {
                files::remove_folder(&self.folder.join(fetch.name("part")))?;
            }
        }
        if pieces.len() > MANY_FILES {
            for neighbours in pieces.chunk_by(|one, next| one.days.last.saturating_add(1) == next.days.first) {
                self.merge(neighbours)?;
            }
        }
        Ok(())
    }

    /// Returns whether the cache has files of the series.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn state(&self) -> Result<SeriesState, PolygonError> {
        Ok(if self.pieces()?.is_empty() { SeriesState::Empty } else { SeriesState::Cached })
    }

    /// Returns the files by their first day; removes files whose days are all in another file.
    fn pieces(&self) -> Result<Vec<Piece>, PolygonError> {
        let names = files::names(&self.folder)?;
        let all: Vec<Piece> = names.iter().filter_map(|name| Piece::from_name(name, "parquet")).collect();
        let mut pieces = Vec::with_capacity(all.len());
        for (idx, piece) in all.iter().enumerate() {
            // A merge that was killed leaves such files. Of two with the same days, the one fetched
            // first stays.
            let is_within = |other: &Piece| other.days.hold(piece.days) && other.days != piece.days;
            let is_again = |other: &Piece| other.days == piece.days;
            if all.iter().any(is_within) || all[..idx].iter().any(is_again) {
                self.remove(&piece.name("parquet"))?;
            } else {
                pieces.push(*piece);
            }
        }
        pieces.sort_unstable();
        Ok(pieces)
    }

    fn merge(&self, neighbours: &[Piece]) -> Result<(), PolygonError> {
        let ([first, _, ..], Some(last)) = (neighbours, neighbours.last()) else { return Ok(()) };
        let mut rows = Vec::new();
        for piece in neighbours {
            match self.read(*piece)? {
                Some(found) => rows.extend(found),
                None => return Ok(()),
            }
        }
        let as_of = neighbours.iter().map(|piece| piece.as_of).min().unwrap_or(first.as_of);
        let days = Days { first: first.days.first, last: last.days.last };
        let rows = merged(rows, self.timeframe, "the cache")?;
        self.store(Piece { days, as_of }, &Table { rows, next: None })?;
        neighbours.iter().try_for_each(|piece| self.remove(&piece.name("parquet")))
    }

    /// Reads the rows of a file; `None` if it is damaged and was renamed.
    fn read(&self, piece: Piece) -> Result<Option<Vec<Row>>, PolygonError> {
        let path = self.path(piece);
        let bytes = std::fs::read(&path).map_err(cache_error(&path))?;
        match Table::from_bytes(&bytes) {
            Ok(table) => Ok(Some(table.rows)),
            Err(failure) => {
                let aside = path.with_extension("damaged");
                tracing::warn!("{} is damaged, its bars are fetched again: {failure}", path.display());
                std::fs::rename(&path, aside).map_err(cache_error(&path))?;
                Ok(None)
            }
        }
    }

    fn remove(&self, name: &str) -> Result<(), PolygonError> {
        let path = self.folder.join(name);
        std::fs::remove_file(&path).map_err(cache_error(&path))
    }

    fn path(&self, piece: Piece) -> PathBuf {
        self.folder.join(piece.name("parquet"))
    }

    fn name(&self) -> String {
        self.folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

/// Sorts rows by time and merges equal duplicates.
///
/// * `place`: origin of the rows, for the error.
///
/// # Errors
/// [`PolygonError::Conflict`] for two different bars of one time.
pub(crate) fn merged(mut rows: Vec<Row>, timeframe: Timeframe, place: &str) -> Result<Vec<Row>, PolygonError> {
    rows.sort_by_key(|row| row.time);
    if let Some(pair) = rows.windows(2).find(|pair| pair[0].time == pair[1].time && pair[0].values != pair[1].values) {
        return Err(PolygonError::Conflict { place: place.to_owned(), when: moment(pair[0].time, timeframe) });
    }
    rows.dedup_by_key(|row| row.time);
    for (idx, row) in rows.iter_mut().enumerate() {
        row.line = idx + 1;
    }
    Ok(rows)
}

/// Returns the rows that are within some days.
pub(crate) fn within(mut rows: Vec<Row>, days: Days, timeframe: Timeframe, calendar: &Calendar) -> Vec<Row> {
    let times = calendar.times(days, timeframe);
    rows.retain(|row| times.contains(&row.time));
    rows
}

/// Returns a symbol as the name of a folder: small letters and signs become `%` and their code,
/// since a file system may ignore the case of names.
fn folder_name(symbol: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
    let shown = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    symbol.bytes().map(shown).collect()
}

#[cfg(test)]
mod tests;
