//! Draws the output of a command as an SVG picture.
//!
//! In: a command that is not started yet. Out: an SVG of a terminal that shows the command line and
//! the output.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anstyle_svg::Term;
use anyhow::{Context, Result};

/// Maximum width of a picture in columns: a wider one cannot be read in the README.
const MAX_COLUMNS: usize = 96;

/// The output of a command: stdout and stderr, in the order in which they were written.
pub(crate) struct Capture {
    path: PathBuf,
}

impl Capture {
    /// Redirects both outputs of the command into one file of the folder.
    pub(crate) fn new(command: &mut Command, folder: &Path) -> Result<Self> {
        let path = folder.join("terminal.txt");
        let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        // Two handles of one open file share its position, so neither output overwrites the other.
        command.stdout(file.try_clone()?).stderr(file);
        Ok(Self { path })
    }

    /// Prints the captured output, and draws an excerpt of it below the command line.
    pub(crate) fn write(&self, command_line: &str, picture: &Path) -> Result<()> {
        let text = fs::read_to_string(&self.path).with_context(|| format!("cannot read {}", self.path.display()))?;
        print!("{text}");
        let drawing = Term::new().render_svg(&format!("\x1b[1m$ {command_line}\x1b[0m\n{}", excerpt(&text)));
        fs::write(picture, drawing).with_context(|| format!("cannot write {}", picture.display()))?;
        eprintln!("demo: drew {}", picture.display());
        Ok(())
    }
}

/// Returns the part of a job's summary that fits into a README: the lines before the first line
/// that is too wide, then `…`, then the verdict.
fn excerpt(text: &str) -> String {
    let fits = |line: &&str| line.chars().count() <= MAX_COLUMNS;
    let head = text.lines().take_while(fits).map(str::to_owned);
    let verdict = text.lines().find(|line| line.starts_with("verdict:")).unwrap_or_default();
    let lines: Vec<String> = head.chain(["…".to_owned()]).chain(wrap(verdict)).collect();
    lines.join("\n")
}

/// Breaks a line between words into lines that are not too wide.
fn wrap(line: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in line.split_whitespace() {
        match lines.last_mut() {
            Some(last) if last.chars().count() + 1 + word.chars().count() <= MAX_COLUMNS => {
                last.push(' ');
                last.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_shows_the_narrow_tables_and_the_verdict() {
        let wide = "é".repeat(MAX_COLUMNS + 1);
        let widest = "é".repeat(MAX_COLUMNS);
        let text = format!("scores\n{widest}\n{wide}\n{wide}\nverdict: no edge\nthe strategy\n");
        assert_eq!(excerpt(&text), format!("scores\n{widest}\n…\nverdict: no edge"));
    }

    #[test]
    fn a_long_verdict_is_broken_between_words() {
        let word = "x".repeat(MAX_COLUMNS - 9);
        assert_eq!(wrap(&format!("verdict: {word} end")), [format!("verdict: {word}"), "end".to_owned()]);
    }
}
