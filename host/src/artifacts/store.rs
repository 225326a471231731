//! Writes and reads the files of an artifact atomically, with `object_store`.
//!
//! Invariants: a file that exists is complete and synced; a path cannot name a file outside the
//! folder.
//!
//! This module uses `object_store` instead of `oculus_system::files`, so that the same code could
//! write to an object store such as S3. `object_store` writes a temporary file and then renames it.
//! With `with_fsync` it syncs each file before the rename, and then every folder that has a new
//! entry, as `oculus_system::files` does.

use std::path::{Path as FilePath, PathBuf};

use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};
use tokio::runtime::Runtime;

use super::error::ArtifactError;

/// A folder whose files are written atomically.
pub(super) struct Store {
    folder: PathBuf,
    files: LocalFileSystem,
    runtime: Runtime,
}

impl Store {
    /// Opens a store in an existing folder.
    ///
    /// The store must not be used on a thread of an asynchronous runtime, because it blocks on its
    /// own runtime.
    pub(super) fn open(folder: &FilePath) -> Result<Self, ArtifactError> {
        // `object_store` is asynchronous. Local files need neither a timer nor network I/O, so the
        // runtime enables neither.
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.map_err(|source| ArtifactError::Folder { path: folder.to_owned(), source })?;
        let files =
            LocalFileSystem::new_with_prefix(folder).map_err(|source| failed(folder.to_owned(), "open", source))?;
        Ok(Self { folder: folder.to_owned(), files: files.with_fsync(true), runtime })
    }

    /// Returns the path of a file of the store.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a file atomically.
    pub(super) fn write(&self, name: &str, bytes: impl Into<PutPayload>) -> Result<(), ArtifactError> {
        let written = self.parse_path(name).and_then(|path| self.runtime.block_on(self.files.put(&path, bytes.into())));
        written.map(|_| ()).map_err(|source| failed(self.path(name), "write", source))
    }

    /// Reads a complete file.
    pub(super) fn read(&self, name: &str) -> Result<Vec<u8>, ArtifactError> {
        let read = self
            .parse_path(name)
            .and_then(|path| self.runtime.block_on(async { self.files.get(&path).await?.bytes().await }));
        read.map(Into::into).map_err(|source| failed(self.path(name), "read", source))
    }

    /// Parses a file name. Names with `..` or empty segments are errors.
    fn parse_path(&self, name: &str) -> object_store::Result<Path> {
        Ok(Path::parse(name)?)
    }
}

fn failed(path: PathBuf, verb: &'static str, source: object_store::Error) -> ArtifactError {
    ArtifactError::Store { path, verb, source }
}
