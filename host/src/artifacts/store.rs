//! A folder of complete files, through `object_store`: each file is written to a temporary name and renamed.
//!
//! Invariant: a file that exists is complete and synced; a path of the store cannot lead out of it.
//!
//! Not through `oculus_system::files`: artifacts may move to an object store such as S3, to which the same code would
//! write. With `with_fsync`, `object_store` syncs each file before the rename, and afterwards every folder that has a new
//! entry, as `oculus_system::files` does.

use std::path::{Path as FilePath, PathBuf};

use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};
use tokio::runtime::Runtime;

use super::error::ArtifactError;

/// A folder of files.
pub(super) struct Store {
    folder: PathBuf,
    files: LocalFileSystem,
    runtime: Runtime,
}

impl Store {
    /// Opens the store in an existing folder. Must not be used on a thread of an asynchronous runtime.
    pub(super) fn open(folder: &FilePath) -> Result<Self, ArtifactError> {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.map_err(|source| ArtifactError::Folder { path: folder.to_owned(), source })?;
        let files =
            LocalFileSystem::new_with_prefix(folder).map_err(|source| failed(folder.to_owned(), "opened", source))?;
        Ok(Self { folder: folder.to_owned(), files: files.with_fsync(true), runtime })
    }

    /// Returns the path of a file of the store.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(super) fn write(&self, name: &str, bytes: impl Into<PutPayload>) -> Result<(), ArtifactError> {
        let written = self.place(name).and_then(|place| self.runtime.block_on(self.files.put(&place, bytes.into())));
        written.map(|_| ()).map_err(|source| failed(self.path(name), "written", source))
    }

    pub(super) fn read(&self, name: &str) -> Result<Vec<u8>, ArtifactError> {
        let read = self
            .place(name)
            .and_then(|place| self.runtime.block_on(async { self.files.get(&place).await?.bytes().await }));
        read.map(Into::into).map_err(|source| failed(self.path(name), "read", source))
    }

    fn place(&self, name: &str) -> object_store::Result<Path> {
        Ok(Path::parse(name)?)
    }
}

fn failed(path: PathBuf, verb: &'static str, source: object_store::Error) -> ArtifactError {
    ArtifactError::Store { path, verb, source }
}
