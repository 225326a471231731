//! Files that commands write: CSV or Parquet by their ending, whole or not at all.

use std::fs::{File, Permissions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

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
pub fn file(name: &str) -> Result<Out, String> {
    let path = PathBuf::from(name);
    match path.extension().and_then(|ending| ending.to_str()).map(str::to_lowercase).as_deref() {
        Some("csv") => Ok(Out::Csv(path)),
        Some("parquet") => Ok(Out::Parquet(path)),
        _ => Err("needed a file that ends in .csv or .parquet".to_owned()),
    }
}

/// Writes a file aside, then renames it into place.
///
/// # Errors
/// What `write` says, and the file system.
pub fn write_whole(path: &Path, write: impl FnOnce(&mut BufWriter<&File>) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let what = || cannot_write(path);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Readable for whom the umask lets, unlike temporary files in general.
    let permissions = Permissions::from_mode(0o666);
    let aside = tempfile::Builder::new().prefix(".oculus-").permissions(permissions).tempfile_in(folder);
    let aside = aside.with_context(what)?;
    let mut out = BufWriter::with_capacity(1 << 20, aside.as_file());
    write(&mut out)?;
    out.flush().with_context(what)?;
    drop(out);
    aside.persist(path).with_context(what)?;
    Ok(())
}

/// For an error in between.
pub fn cannot_write(path: &Path) -> String {
    format!("{} cannot be written", path.display())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
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
