//! The bars of one symbol and timeframe that were fetched, as immutable files that say which days they hold.
//!
//! `FROM_TO@FETCHED.parquet` holds every bar of its days, also where there is none, adjusted for splits as of the day
//! on which it was fetched; `FROM_TO@FETCHED.part/` holds the pages of a fetch under way. Invariants: whoever has a
//! [`SeriesCache`] has the series alone; a file is whole or not there; no day lies in two files with different bars.

mod part;

use std::fs::File;
use std::path::{Path, PathBuf};

pub(crate) use self::part::{Next, Part};
use super::calendar::{Calendar, Days};
use super::files;
use super::lock::lock;
use super::table::Table;
use super::trouble::{Trouble, cache};
use oculus_job::request::Timeframe;
use oculus_pipeline::bars::{Row, moment};
use oculus_pipeline::date::{days_since_epoch, iso_date};

/// Files of a series from which on neighbours are merged.
const MANY_FILES: usize = 16;

/// Days of a file, and the day it was fetched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Piece {
    /// The days that it holds.
    pub days: Days,
    /// New York's date when it was fetched: prices know of every split up to then.
    pub as_of: i32,
}

impl Piece {
    fn name(self, ending: &str) -> String {
        let Days { first, last } = self.days;
        format!("{}_{}@{}.{ending}", iso_date(first), iso_date(last), iso_date(self.as_of))
    }

    fn of_name(name: &str, ending: &str) -> Option<Self> {
        let (days, as_of) = name.strip_suffix(ending)?.strip_suffix('.')?.split_once('@')?;
        let (first, last) = days.split_once('_')?;
        let day = |text: &str| text.parse().ok().map(days_since_epoch);
        Some(Self { days: Days::new(day(first)?, day(last)?)?, as_of: day(as_of)? })
    }
}

/// The cache of one series, locked.
#[derive(Debug)]
pub(crate) struct SeriesCache {
    folder: PathBuf,
    timeframe: Timeframe,
    _locked: File,
}

/// What is there of some days.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Held {
    /// Every file, also of other days.
    pub pieces: Vec<Piece>,
    /// The rows of all files that touch the days.
    pub rows: Vec<Row>,
}

/// What is there of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// No piece.
    Nothing,
    /// At least one.
    Something,
}

impl SeriesCache {
    /// Waits until nobody else has the series.
    ///
    /// * `hear`: told once if somebody has.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) async fn open(
        root: &Path,
        symbol: &str,
        timeframe: Timeframe,
        hear: &dyn Fn(),
    ) -> Result<Self, Trouble> {
        let parent = root.join("adjusted").join(timeframe.name());
        let name = folder_name(symbol);
        // In lower case, as no series is.
        let locked = lock(&parent.join(format!("{name}.lock")), hear).await?;
        Ok(Self { folder: parent.join(name), timeframe, _locked: locked })
    }

    /// Reads what is there of some days; a file that is damaged is set aside, and its days are missing again.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn load(&self, wanted: Days) -> Result<Held, Trouble> {
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

    /// Keeps all bars of a piece.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn keep(&self, piece: Piece, table: &Table) -> Result<(), Trouble> {
        let path = self.path(piece);
        std::fs::create_dir_all(&self.folder).map_err(cache(&self.folder))?;
        files::replace(&path, &bytes(table, &path)?)
    }

    /// The fetch of days from one on that is under way, the longest within `days`; else a new one of all of them.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn part(&self, days: Days, as_of: i32) -> Result<Part, Trouble> {
        let under_way = self.parts()?.into_iter().rfind(|part| part.days.first == days.first && days.hold(part.days));
        let piece = under_way.unwrap_or(Piece { days, as_of });
        Part::open(self.folder.join(piece.name("part")), piece)
    }

    /// The fetches under way.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn parts(&self) -> Result<Vec<Piece>, Trouble> {
        let names = files::names(&self.folder)?;
        Ok(names.iter().filter_map(|name| Piece::of_name(name, "part")).collect())
    }

    /// Drops all of the series at once.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn clear(&self) -> Result<(), Trouble> {
        let aside = self.folder.with_file_name(format!("{}.dropped", self.name()));
        files::remove_folder(&aside)?;
        match std::fs::rename(&self.folder, &aside) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(cache(&self.folder)(error)),
            _ => {}
        }
        files::remove_folder(&aside)
    }

    /// Removes what a killed process has left over, and merges neighbours where there are many files.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn tidy(&self) -> Result<(), Trouble> {
        for name in files::names(&self.folder)?.iter().filter(|name| name.ends_with(files::UNFINISHED)) {
            self.remove(name)?;
        }
        let pieces = self.pieces()?;
        for part in self.parts()? {
            if part.days.without(pieces.iter().map(|piece| piece.days)).is_empty() {
                files::remove_folder(&self.folder.join(part.name("part")))?;
            }
        }
        if pieces.len() > MANY_FILES {
            for neighbours in pieces.chunk_by(|one, next| one.days.last.saturating_add(1) == next.days.first) {
                self.merge(neighbours)?;
            }
        }
        Ok(())
    }

    /// Whether there is anything of the series.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn known(&self) -> Result<Known, Trouble> {
        Ok(if self.pieces()?.is_empty() { Known::Nothing } else { Known::Something })
    }

    /// The files, by their first day; those whose days lie in another are removed.
    fn pieces(&self) -> Result<Vec<Piece>, Trouble> {
        let names = files::names(&self.folder)?;
        let all: Vec<Piece> = names.iter().filter_map(|name| Piece::of_name(name, "parquet")).collect();
        let mut pieces = Vec::with_capacity(all.len());
        for (idx, piece) in all.iter().enumerate() {
            // Left by a merge that was killed. Of two with the same days, the one fetched first.
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

    fn merge(&self, neighbours: &[Piece]) -> Result<(), Trouble> {
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
        self.keep(Piece { days, as_of }, &Table { rows, next: None })?;
        neighbours.iter().try_for_each(|piece| self.remove(&piece.name("parquet")))
    }

    /// The rows of a file; `None` where it is damaged and now lies beside under another name.
    fn read(&self, piece: Piece) -> Result<Option<Vec<Row>>, Trouble> {
        let path = self.path(piece);
        let bytes = std::fs::read(&path).map_err(cache(&path))?;
        match Table::from_bytes(&bytes) {
            Ok(table) => Ok(Some(table.rows)),
            Err(reason) => {
                let aside = path.with_extension("damaged");
                tracing::warn!("{} is set aside and fetched again: {reason}", path.display());
                std::fs::rename(&path, aside).map_err(cache(&path))?;
                Ok(None)
            }
        }
    }

    fn remove(&self, name: &str) -> Result<(), Trouble> {
        let path = self.folder.join(name);
        std::fs::remove_file(&path).map_err(cache(&path))
    }

    fn path(&self, piece: Piece) -> PathBuf {
        self.folder.join(piece.name("parquet"))
    }

    fn name(&self) -> String {
        self.folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

/// Rows by time, equal duplicates merged.
///
/// * `place`: where they come from, for the error.
///
/// # Errors
/// Two different bars of one time.
pub(crate) fn merged(mut rows: Vec<Row>, timeframe: Timeframe, place: &str) -> Result<Vec<Row>, Trouble> {
    rows.sort_by_key(|row| row.time);
    if let Some(pair) = rows.windows(2).find(|pair| pair[0].time == pair[1].time && pair[0].values != pair[1].values) {
        return Err(Trouble::Conflict { place: place.to_owned(), when: moment(pair[0].time, timeframe) });
    }
    rows.dedup_by_key(|row| row.time);
    for (idx, row) in rows.iter_mut().enumerate() {
        row.line = idx + 1;
    }
    Ok(rows)
}

/// The rows of some days.
pub(crate) fn within(mut rows: Vec<Row>, days: Days, timeframe: Timeframe, calendar: &Calendar) -> Vec<Row> {
    let times = calendar.times(days, timeframe);
    rows.retain(|row| times.contains(&row.time));
    rows
}

fn bytes(table: &Table, path: &Path) -> Result<Vec<u8>, Trouble> {
    table.to_bytes().map_err(|reason| cache(path)(std::io::Error::other(reason)))
}

/// A symbol as the name of a folder, also where names that differ in case alone are one: small letters and signs as
/// `%` and their code.
fn folder_name(symbol: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
    let shown = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    symbol.bytes().map(shown).collect()
}

#[cfg(test)]
mod tests;
