//! An unfinished fetch: the pages received so far, stored on the disk with the URL of the next
//! page.
//!
//! In: pages in order. Out: the next page to request, and finally all rows. Invariant: a page and
//! the URL of the next page are stored in one file. A process that is killed therefore loses at
//! most the page that it is receiving.

use std::io::ErrorKind;
use std::path::PathBuf;

use oculus_pipeline::bars::Row;

use super::span::CachedSpan;
use crate::polygon::cache_file::CacheFile;
use crate::polygon::error::{PolygonError, cache_error};
use crate::polygon::files;
use crate::polygon::page::Page;

/// The pages of a fetch that were received so far.
#[derive(Debug)]
pub(crate) struct PartialFetch {
    /// The days that are being fetched, and the day on which the fetch began.
    pub span: CachedSpan,
    folder: PathBuf,
    pages: Vec<CacheFile>,
}

/// The next page of a fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NextPage<'a> {
    /// No page was received yet.
    First,
    /// The next page has this path and query.
    At(&'a str),
    /// The last page was received: the fetch is complete.
    Complete,
}

impl PartialFetch {
    /// Opens a fetch with its stored pages. If one of the pages is damaged, removes all pages.
    pub(super) fn open(folder: PathBuf, span: CachedSpan) -> Result<Self, PolygonError> {
        let mut fetch = Self { span, folder, pages: Vec::new() };
        loop {
            let path = fetch.path(fetch.pages.len());
            let page = match std::fs::read(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(fetch),
                page => CacheFile::from_bytes(&page.map_err(cache_error(&path))?),
            };
            match page {
                Ok(page) => fetch.pages.push(page),
                // The URL of the next page is lost with a damaged file, so the fetch starts again.
                Err(_) => {
                    fetch.clear()?;
                    return Ok(fetch);
                }
            }
        }
    }

    /// Returns the next page to request.
    pub(crate) fn next(&self) -> NextPage<'_> {
        match self.pages.last() {
            None => NextPage::First,
            Some(CacheFile { next: Some(next), .. }) => NextPage::At(next),
            Some(CacheFile { next: None, .. }) => NextPage::Complete,
        }
    }

    /// Returns the number of pages received so far.
    pub(crate) fn n_pages(&self) -> usize {
        self.pages.len()
    }

    /// Returns the number of rows received so far.
    pub(crate) fn n_rows(&self) -> usize {
        self.pages.iter().map(|page| page.rows.len()).sum()
    }

    /// Returns the time of the newest bar received so far.
    pub(crate) fn newest(&self) -> Option<i64> {
        self.pages.iter().flat_map(|page| &page.rows).map(|row| row.time).max()
    }

    /// Stores a page.
    ///
    /// # Errors
    /// Returns [`PolygonError::PageCycle`] if the page refers to an earlier page, and
    /// [`PolygonError::Cache`] if the page cannot be written.
    pub(crate) fn add(&mut self, page: Page) -> Result<(), PolygonError> {
        let Page { rows, next } = page;
        // Without this check, pages that refer to each other in a cycle would be fetched forever.
        if next.is_some() && self.pages.iter().any(|page| page.next == next) {
            return Err(PolygonError::PageCycle { page: self.pages.len() + 1 });
        }
        let path = self.path(self.pages.len());
        let table = CacheFile { rows, next };
        files::create_folder(&self.folder)?;
        table.store(&path)?;
        self.pages.push(table);
        Ok(())
    }

    /// Removes all pages. The fetch then starts again.
    ///
    /// # Errors
    /// Returns [`PolygonError::Cache`] if the pages cannot be removed.
    pub(crate) fn clear(&mut self) -> Result<(), PolygonError> {
        self.pages.clear();
        files::remove_folder(&self.folder)
    }

    /// Takes the rows of all pages out of this value and returns them. The files are kept, because
    /// the rows are not stored elsewhere yet.
    pub(crate) fn take_rows(&mut self) -> Vec<Row> {
        std::mem::take(&mut self.pages).into_iter().flat_map(|page| page.rows).collect()
    }

    fn path(&self, idx: usize) -> PathBuf {
        self.folder.join(format!("page-{:05}.parquet", idx + 1))
    }
}
