//! An unfinished fetch: its pages so far, each on the disk with the place of the next one.
//!
//! In: pages in their order. Out: the place of the next page, and finally all rows. Invariant: a
//! page and the place of the next one are one file, so that a process that is killed loses at most
//! the page in flight.

use std::io::ErrorKind;
use std::path::PathBuf;

use oculus_pipeline::bars::Row;

use super::piece::Piece;
use crate::polygon::error::{PolygonError, cache_error};
use crate::polygon::files;
use crate::polygon::page::Page;
use crate::polygon::table::Table;

/// The pages of a fetch.
#[derive(Debug)]
pub(crate) struct PartialFetch {
    /// The days that are being fetched.
    pub piece: Piece,
    folder: PathBuf,
    pages: Vec<Table>,
}

/// The place of the next page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NextPage<'a> {
    /// The fetch has not begun.
    First,
    /// The next page has this path and query.
    At(&'a str),
    /// There is no further page: the fetch is complete.
    Complete,
}

impl PartialFetch {
    /// Opens a fetch with the pages that are stored; none if one of them is damaged.
    pub(super) fn open(folder: PathBuf, piece: Piece) -> Result<Self, PolygonError> {
        let mut fetch = Self { piece, folder, pages: Vec::new() };
        loop {
            let path = fetch.path(fetch.pages.len());
            let page = match std::fs::read(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(fetch),
                page => Table::from_bytes(&page.map_err(cache_error(&path))?),
            };
            match page {
                Ok(page) => fetch.pages.push(page),
                Err(_) => {
                    fetch.clear()?;
                    return Ok(fetch);
                }
            }
        }
    }

    /// Returns the place of the next page.
    pub(crate) fn next(&self) -> NextPage<'_> {
        match self.pages.last() {
            None => NextPage::First,
            Some(Table { next: Some(next), .. }) => NextPage::At(next),
            Some(Table { next: None, .. }) => NextPage::Complete,
        }
    }

    /// Returns the number of pages so far.
    pub(crate) fn n_pages(&self) -> usize {
        self.pages.len()
    }

    /// Returns the number of rows so far.
    pub(crate) fn n_rows(&self) -> usize {
        self.pages.iter().map(|page| page.rows.len()).sum()
    }

    /// Returns the time of the newest bar so far.
    pub(crate) fn newest(&self) -> Option<i64> {
        self.pages.iter().flat_map(|page| &page.rows).map(|row| row.time).max()
    }

    /// Stores a page.
    ///
    /// # Errors
    /// [`PolygonError::Loop`] for a page that refers to an earlier one, and the file system's.
    pub(crate) fn add(&mut self, page: Page) -> Result<(), PolygonError> {
        let Page { rows, next } = page;
        if next.is_some() && self.pages.iter().any(|page| page.next == next) {
            return Err(PolygonError::Loop { page: self.pages.len() + 1 });
        }
        let path = self.path(self.pages.len());
        let table = Table { rows, next };
        files::create_folder(&self.folder)?;
        table.store(&path)?;
        self.pages.push(table);
        Ok(())
    }

    /// Removes all pages: the fetch starts again.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn clear(&mut self) -> Result<(), PolygonError> {
        self.pages.clear();
        files::remove_folder(&self.folder)
    }

    /// Takes the rows of all pages out of memory; the files stay.
    pub(crate) fn take_rows(&mut self) -> Vec<Row> {
        std::mem::take(&mut self.pages).into_iter().flat_map(|page| page.rows).collect()
    }

    fn path(&self, idx: usize) -> PathBuf {
        self.folder.join(format!("page-{:05}.parquet", idx + 1))
    }
}
