//! Decides by SHA-256 which libraries may be opened.
//!
//! In: the configuration, and the list file that it may name. Out: whether a library may be opened.
//! Invariant: if the list cannot be read, no library may be opened.

use std::collections::BTreeSet;
use std::path::Path;

use crate::config::Trust;

/// The libraries that may be opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustList {
    /// The allowed SHA-256 values, as lower-case hex; `None` allows every library.
    allowed: Option<BTreeSet<String>>,
    /// The problems found in the list, as lines for the log.
    pub problems: Vec<String>,
}

impl TrustList {
    /// Reads the list file that the configuration names. Without such a file, every library is
    /// allowed.
    pub fn read(trust: &Trust) -> Self {
        let Trust::Listed(path) = trust else { return Self::default() };
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text, path),
            Err(error) => {
                let path = path.display();
                let problem = format!("cannot read PLUGINS_TRUSTED `{path}` ({error}), so no plugin may be opened");
                Self { allowed: Some(BTreeSet::new()), problems: vec![problem] }
            }
        }
    }

    /// Returns whether a library with this SHA-256 may be opened.
    pub fn allows(&self, sha256: &str) -> bool {
        self.allowed.as_ref().is_none_or(|allowed| allowed.contains(sha256))
    }

    /// Parses the output of `sha256sum`. Only the first word of each line is used. Empty lines and
    /// lines that begin with `#` are ignored.
    fn parse(text: &str, path: &Path) -> Self {
        let mut allowed = BTreeSet::new();
        let mut problems = Vec::new();
        for (line_idx, line) in text.lines().enumerate() {
            let line = line.trim();
            let Some(word) = line.split_whitespace().next().filter(|word| !word.starts_with('#')) else { continue };
            // For an escaped file name, `sha256sum` writes a backslash before the sum.
            let word = word.trim_start_matches('\\').to_ascii_lowercase();
            if word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                allowed.insert(word);
            } else {
                let path = path.display();
                let number = line_idx + 1;
                let problem = format!(
                    "PLUGINS_TRUSTED `{path}`, line {number}: found {word:?}, expected a SHA-256 of 64 hex digits"
                );
                problems.push(problem);
            }
        }
        Self { allowed: Some(allowed), problems }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_in_the_format_of_sha256sum_is_read_and_its_mistakes_are_reported() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("trusted");
        let one = "a".repeat(64);
        let other = "B".repeat(64);
        std::fs::write(&list, format!("# ours\n\n{one}  liba.so\n{other} *libb.so\nabc  libc.so\n")).unwrap();
        let trusted = TrustList::read(&Trust::Listed(list));
        assert!(trusted.allows(&one) && trusted.allows(&other.to_lowercase()));
        assert!(!trusted.allows(&"c".repeat(64)));
        let [problem] = &trusted.problems[..] else { panic!("{:?}", trusted.problems) };
        assert!(problem.contains("line 5: found \"abc\""), "{problem}");
    }

    #[test]
    fn a_list_that_cannot_be_read_allows_no_library() {
        let trusted = TrustList::read(&Trust::Listed("/nowhere/trusted".into()));
        assert!(!trusted.allows(&"a".repeat(64)));
        assert!(trusted.problems[0].contains("/nowhere/trusted"), "{trusted:?}");
        assert!(TrustList::read(&Trust::Any).allows("anything"));
    }
}
