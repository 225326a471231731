//! Edits and publishes copies of the library whose behaviour is stored in its bytes
//! (`tests/plugins/hostile`).

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use oculus_job::hash::sha256_hex;

use crate::build;

/// The bytes of a library.
#[derive(Clone)]
pub struct Library(Vec<u8>);

impl Library {
    /// Returns the library as it was built: a correct family with the id `hostile`.
    ///
    /// # Panics
    /// Panics if the built library is missing.
    pub fn built() -> Self {
        Self::from_file(&build::library("oculus_test_hostile"))
    }

    /// Reads a library from a file.
    ///
    /// # Panics
    /// Panics if it cannot be read.
    pub fn from_file(file: &Path) -> Self {
        Self(std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display())))
    }

    /// Wraps arbitrary bytes, to publish them under the name of a library.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// Sets one of the fields `id`, `build`, `act` or `file`.
    ///
    /// # Panics
    /// Panics if the field does not exist or is too short for the value.
    #[must_use]
    pub fn with(mut self, field: &str, value: &str) -> Self {
        let start = format!("oculus-test:{field}=");
        let found: Vec<_> =
            self.0.windows(start.len()).enumerate().filter(|(_, it)| *it == start.as_bytes()).map(|it| it.0).collect();
        let [at] = found[..] else { panic!("found {} fields that begin with {start}, expected 1", found.len()) };
        let space = &mut self.0[at + start.len()..];
        let length = space.iter().position(|byte| *byte == b';').expect("a semicolon terminates each field");
        let space = &mut space[..length];
        assert!(value.len() <= length && !value.contains(';'), "{value} does not fit into {field}");
        space.fill(b' ');
        space[..value.len()].copy_from_slice(value.as_bytes());
        self
    }

    /// Returns the bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the bytes for modification.
    pub fn bytes_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }

    /// Returns the SHA-256 of the bytes, as hex.
    pub fn sha256(&self) -> String {
        sha256_hex(&self.0)
    }

    /// Writes the library to a temporary name and renames it, as publishers do. The file name gets
    /// the prefix and suffix of a library.
    pub fn publish(&self, folder: &Path, name: &str) -> PathBuf {
        self.write(folder, name, SystemTime::now())
    }

    /// Publishes the library with a modification time one minute ago, so that the worker does not
    /// wait for a write to complete.
    pub fn publish_as_old(&self, folder: &Path, name: &str) -> PathBuf {
        self.write(folder, name, SystemTime::now() - Duration::from_secs(60))
    }

    fn write(&self, folder: &Path, name: &str, modified: SystemTime) -> PathBuf {
        let temporary = folder.join(format!("{name}.new"));
        let target = folder.join(build::library_file(name));
        let mut file = File::create(&temporary).unwrap();
        file.write_all(&self.0).unwrap();
        file.set_modified(modified).unwrap();
        std::fs::rename(&temporary, &target).unwrap();
        target
    }
}
