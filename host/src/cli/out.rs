//! Files that commands write: CSV or Parquet by their ending, whole or not at all.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use anyhow::Context;
use oculus_system::files::{Access, write_durably_with};

/// A file to write.
#[derive(Clone, Debug)]
pub enum Out {
    /// As text.
    Csv(PathBuf),
    /// As columns.
    Parquet(PathBuf),
}

/// The file of that name, by its ending.
///
/// # Errors
/// In words for the command line.
pub(super) fn file(name: &str) -> Result<Out, String> {
    let path = PathBuf::from(name);
    match path.extension().and_then(|ending| ending.to_str()).map(str::to_lowercase).as_deref() {
        Some("csv") => Ok(Out::Csv(path)),
        Some("parquet") => Ok(Out::Parquet(path)),
        _ => Err("needed a file that ends in .csv or .parquet".to_owned()),
    }
}

/// Writes a file completely or not at all.
///
/// # Errors
/// Those of `write`, and the file system's.
pub(super) fn write_whole(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<&File>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut failure = None;
    let written = write_durably_with(path, Access::Umask, |out| {
        write(out).map_err(|error| {
            failure = Some(error);
            io::Error::other("the content could not be written")
        })
    });
    match failure {
        Some(error) => Err(error),
        None => written.with_context(|| cannot_write(path)),
    }
}

/// For an error in between.
pub(super) fn cannot_write(path: &Path) -> String {
    format!("{} cannot be written", path.display())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn the_ending_decides_on_the_form() {
        assert!(matches!(file("a.CSV"), Ok(Out::Csv(_))) && matches!(file("a.parquet"), Ok(Out::Parquet(_))));
        assert!(file("a.xlsx").is_err() && file("a").is_err());
    }

    #[test]
    fn a_file_that_cannot_be_written_whole_leaves_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        write_whole(&path, |out| Ok(out.write_all(b"old")?)).unwrap();
        let failed = write_whole(&path, |out| {
            out.write_all(b"new")?;
            anyhow::bail!("the end is missing")
        });
        assert_eq!(failed.unwrap_err().to_string(), "the end is missing");
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left aside");
    }
}
