//! Output files of commands: The output file of a command: CSV or Parquet, written atomically.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use anyhow::Context;
use oculus_system::files::{Access, write_durably_with};

/// The path and the format of an output file.
#[derive(Clone, Debug)]
pub(crate) enum OutputFile {
    /// A CSV file.
    Csv(PathBuf),
    /// A Parquet file.
    Parquet(PathBuf),
}

/// Parses the value of a flag. The extension of the file name selects the format.
///
/// # Errors
/// Returns a message that names the known extensions if the file has another one.
pub(super) fn parse(name: &str) -> Result<OutputFile, String> {
    let path = PathBuf::from(name);
    match path.extension().and_then(|extension| extension.to_str()).map(str::to_lowercase).as_deref() {
        Some("csv") => Ok(OutputFile::Csv(path)),
        Some("parquet") => Ok(OutputFile::Parquet(path)),
        _ => Err("expected a file name that ends in .csv or .parquet".to_owned()),
    }
}

/// Writes a file atomically: on an error the old file, if any, is unchanged.
///
/// # Errors
/// Returns the error of `write`, or an I/O error with the path if the file cannot be created,
/// synced or renamed.
pub(super) fn write_completely(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<&File>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    // `write_durably_with` accepts only an `io::Error`, so the original error is kept here and
    // returned below.
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

/// Returns the error message for a file that cannot be written.
pub(super) fn cannot_write(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn the_extension_selects_the_format() {
        assert!(
            matches!(parse("a.CSV"), Ok(OutputFile::Csv(_)))
                && matches!(parse("a.parquet"), Ok(OutputFile::Parquet(_)))
        );
        assert!(parse("a.xlsx").is_err() && parse("a").is_err());
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_unchanged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        write_completely(&path, |out| Ok(out.write_all(b"old")?)).unwrap();
        let failed = write_completely(&path, |out| {
            out.write_all(b"new")?;
            anyhow::bail!("the end is missing")
        });
        assert_eq!(failed.unwrap_err().to_string(), "the end is missing");
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file remains");
    }
}
