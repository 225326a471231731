//! Which libraries may be opened at all, by the SHA-256 of their bytes.
//!
//! In: the configuration's word, and the list that it may name. Out: yes or no, before anything is opened. A list that
//! cannot be read allows nothing.

use std::collections::BTreeSet;
use std::path::Path;

use crate::config::Trust;

/// The libraries that may be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trusted {
    /// Every one.
    All,
    /// Those with these SHA-256, as lower-case hex.
    Only(BTreeSet<String>),
}

impl Trusted {
    /// What the configuration says at this moment, and what is wrong with its list.
    pub fn read(trust: &Trust) -> (Self, Vec<String>) {
        let Trust::Listed(path) = trust else { return (Self::All, Vec::new()) };
        match std::fs::read_to_string(path) {
            Ok(text) => {
                let (sums, problems) = parse(&text, path);
                (Self::Only(sums), problems)
            }
            Err(error) => {
                let path = path.display();
                let problem = format!("PLUGINS_TRUSTED `{path}` cannot be read ({error}), so no plugin may be opened");
                (Self::Only(BTreeSet::new()), vec![problem])
            }
        }
    }

    /// Whether a library with this SHA-256 may be opened.
    pub fn allows(&self, sha256: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(sums) => sums.contains(sha256),
        }
    }
}

/// The first word of each line; empty lines and those after `#` are for people.
fn parse(text: &str, path: &Path) -> (BTreeSet<String>, Vec<String>) {
    let (mut sums, mut problems) = (BTreeSet::new(), Vec::new());
    for (line_idx, line) in text.lines().enumerate() {
        let line = line.trim();
        let Some(word) = line.split_whitespace().next().filter(|word| !word.starts_with('#')) else { continue };
        // sha256sum escapes a name with a backslash before the sum.
        let word = word.trim_start_matches('\\').to_ascii_lowercase();
        if word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            sums.insert(word);
        } else {
            let (path, number) = (path.display(), line_idx + 1);
            problems.push(format!("PLUGINS_TRUSTED `{path}`, line {number}: {word:?} is no SHA-256 of 64 hex digits"));
        }
    }
    (sums, problems)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_sha256sum_writes_it_and_its_slips_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("trusted");
        let (one, other) = ("a".repeat(64), "B".repeat(64));
        std::fs::write(&list, format!("# ours\n\n{one}  liba.so\n{other} *libb.so\nabc  libc.so\n")).unwrap();
        let (trusted, problems) = Trusted::read(&Trust::Listed(list));
        assert!(trusted.allows(&one) && trusted.allows(&other.to_lowercase()));
        assert!(!trusted.allows(&"c".repeat(64)));
        assert!(problems.len() == 1 && problems[0].contains("line 5: \"abc\" is no SHA-256"), "{problems:?}");
    }

    #[test]
    fn a_list_that_cannot_be_read_allows_nothing() {
        let (trusted, problems) = Trusted::read(&Trust::Listed("/nowhere/trusted".into()));
        assert!(!trusted.allows(&"a".repeat(64)));
        assert!(problems[0].contains("/nowhere/trusted"), "{problems:?}");
        assert!(Trusted::read(&Trust::Any).0.allows("anything"));
    }
}
