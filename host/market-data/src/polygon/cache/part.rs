//! A fetch under way: its pages so far, each on the disk with the way to the next one.
//!
//! Invariant: a page and its way on are one file, so that a process that is killed loses the page in flight at most.

use std::path::PathBuf;

use super::{Piece, bytes};
use crate::polygon::files;
use crate::polygon::page::Page;
use crate::polygon::table::Table;
use crate::polygon::trouble::{Trouble, cache};
use oculus_pipeline::bars::Row;

/// The pages of a fetch.
#[derive(Debug)]
pub(crate) struct Part {
    /// What is being fetched.
    pub piece: Piece,
    folder: PathBuf,
    pages: Vec<Table>,
}

/// Where the next page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next<'a> {
    /// The fetch has not begun.
    First,
    /// At this path and query.
    At(&'a str),
    /// There is none: the fetch is complete.
    Nowhere,
}

impl Part {
    /// What is there of a fetch; nothing where a page is damaged.
    pub(super) fn open(folder: PathBuf, piece: Piece) -> Result<Self, Trouble> {
        let mut part = Self { piece, folder, pages: Vec::new() };
        loop {
            let path = part.path(part.pages.len());
            let page = match std::fs::read(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(part),
                page => Table::from_bytes(&page.map_err(cache(&path))?),
            };
            match page {
                Ok(page) => part.pages.push(page),
                Err(_) => {
                    part.clear()?;
                    return Ok(part);
                }
            }
        }
    }

    /// Where it goes on.
    pub(crate) fn next(&self) -> Next<'_> {
        match self.pages.last() {
            None => Next::First,
            Some(Table { next: Some(next), .. }) => Next::At(next),
            Some(Table { next: None, .. }) => Next::Nowhere,
        }
    }

    /// Pages so far.
    pub(crate) fn n_pages(&self) -> usize {
        self.pages.len()
    }

    /// Rows so far.
    pub(crate) fn n_rows(&self) -> usize {
        self.pages.iter().map(|page| page.rows.len()).sum()
    }

    /// The time of the newest bar so far.
    pub(crate) fn newest(&self) -> Option<i64> {
        self.pages.iter().flat_map(|page| &page.rows).map(|row| row.time).max()
    }

    /// Keeps a page.
    ///
    /// # Errors
    /// A page that leads back to one before it, and the file system's.
    pub(crate) fn add(&mut self, page: Page) -> Result<(), Trouble> {
        let Page { rows, next } = page;
        if next.is_some() && self.pages.iter().any(|page| page.next == next) {
            return Err(Trouble::Loop { page: self.pages.len() + 1 });
        }
        let path = self.path(self.pages.len());
        let table = Table { rows, next };
        std::fs::create_dir_all(&self.folder).map_err(cache(&self.folder))?;
        files::replace(&path, &bytes(&table, &path)?)?;
        self.pages.push(table);
        Ok(())
    }

    /// Begins anew.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn clear(&mut self) -> Result<(), Trouble> {
        self.pages.clear();
        files::remove_folder(&self.folder)
    }

    /// The rows of all pages, which are then the caller's alone; the files stay.
    pub(crate) fn take_rows(&mut self) -> Vec<Row> {
        std::mem::take(&mut self.pages).into_iter().flat_map(|page| page.rows).collect()
    }

    fn path(&self, idx: usize) -> PathBuf {
        self.folder.join(format!("page-{:05}.parquet", idx + 1))
    }
}
