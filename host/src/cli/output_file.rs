//! Files that commands write: CSV or Parquet by their extension, completely or not at all.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use anyhow::Context;
use oculus_system::files::{Access, write_durably_with};

/// A file to write, with its format.
#[derive(Clone, Debug)]
pub(crate) enum OutputFile {
    /// A CSV file.
    Csv(PathBuf),
    /// A Parquet file.
    Parquet(PathBuf),
}

/// Parses the value of a flag: a file name whose extension chooses the format.
///
/// # Errors
/// A text for the command line that states the known extensions.
pub(super) fn parse(name: &str) -> Result<OutputFile, String> {
    let path = PathBuf::from(name);
    match path.extension().and_then(|ending| ending.to_str()).map(str::to_lowercase).as_deref() {
        Some("csv") => Ok(OutputFile::Csv(path)),
        Some("parquet") => Ok(OutputFile::Parquet(path)),
        _ => Err("needed a file that ends in .csv or .parquet".to_owned()),
    }
}

/// Writes a file completely or not at all.
///
/// # Errors
/// Those of `write`, and the file system's.
pub(super) fn write_completely(
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

/// Returns the context of an error while a file is written.
pub(super) fn cannot_write(path: &Path) -> String {
    format!("{} cannot be written", path.display())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn the_extension_decides_on_the_format() {
        assert!(
            matches!(parse("a.CSV"), Ok(OutputFile::Csv(_)))
                && matches!(parse("a.parquet"), Ok(OutputFile::Parquet(_)))
        );
        assert!(parse("a.xlsx").is_err() && parse("a").is_err());
    }

    #[test]
    fn a_file_that_cannot_be_written_completely_leaves_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        write_completely(&path, |out| Ok(out.write_all(b"old")?)).unwrap();
        let failed = write_completely(&path, |out| {
            out.write_all(b"new")?;
            anyhow::bail!("the end is missing")
        });
        assert_eq!(failed.unwrap_err().to_string(), "the end is missing");
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left aside");
    }
}
