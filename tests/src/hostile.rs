//! Copies of the library whose behaviour is written in its bytes (`tests/plugins/hostile`), and how they are published.

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
    /// The library as it was built: a well-behaved family under the id `hostile`.
    ///
    /// # Panics
    /// When the build has left no such library.
    pub fn built() -> Self {
        Self::of(&build::library("oculus_test_hostile"))
    }

    /// That of a file.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn of(file: &Path) -> Self {
        Self(std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display())))
    }

    /// Any bytes that are to be met under the name of a library.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The same with another value in one of its fields: `id`, `build`, `act` or `file`.
    ///
    /// # Panics
    /// When there is no such field, or no room in it.
    #[must_use]
    pub fn with(mut self, field: &str, value: &str) -> Self {
        let start = format!("oculus-test:{field}=");
        let found: Vec<_> =
            self.0.windows(start.len()).enumerate().filter(|(_, it)| *it == start.as_bytes()).map(|it| it.0).collect();
        let [at] = found[..] else { panic!("{} places that begin with {start}", found.len()) };
        let room = &mut self.0[at + start.len()..];
        let length = room.iter().position(|byte| *byte == b';').expect("a semicolon closes each field");
        let room = &mut room[..length];
        assert!(value.len() <= length && !value.contains(';'), "no room for {value} in {field}");
        room.fill(b' ');
        room[..value.len()].copy_from_slice(value.as_bytes());
        self
    }

    /// The bytes, to be looked at.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, to be changed.
    pub fn bytes_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }

    /// SHA-256 of the bytes, as hex.
    pub fn sha256(&self) -> String {
        sha256_hex(&self.0)
    }

    /// Writes the library beside its place and renames it there, as publishers do. Its name begins and ends as that of
    /// every library.
    pub fn publish(&self, folder: &Path, name: &str) -> PathBuf {
        self.write(folder, name, SystemTime::now())
    }

    /// The same with a file that was written a minute ago, so that nobody waits for the rest of it.
    pub fn publish_as_old(&self, folder: &Path, name: &str) -> PathBuf {
        self.write(folder, name, SystemTime::now() - Duration::from_secs(60))
    }

    fn write(&self, folder: &Path, name: &str, modified: SystemTime) -> PathBuf {
        let (beside, place) = (folder.join(format!("{name}.new")), folder.join(build::library_file(name)));
        let mut file = File::create(&beside).unwrap();
        file.write_all(&self.0).unwrap();
        file.set_modified(modified).unwrap();
        std::fs::rename(&beside, &place).unwrap();
        place
    }
}
