//! Relative links of the project's Markdown pages.
//!
//! In: the folder of a checkout. Out: the pages of the checkout, and for each page the links that
//! do not resolve. Invariant: a page is parsed as CommonMark, so text in code is never treated as a
//! link.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// The reason why a link does not resolve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkProblem {
    /// The path is not a file or folder.
    NoSuchFile,
    /// The page has no heading with this anchor.
    NoSuchHeading,
}

/// A link that does not resolve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenLink {
    /// The destination as written in the page.
    pub destination: String,
    /// The reason why the link does not resolve.
    pub problem: LinkProblem,
}

/// Links and headings of a page.
#[derive(Default)]
struct Outline {
    destinations: Vec<String>,
    anchors: BTreeSet<String>,
}

/// Returns all Markdown pages below a folder, in order of their paths. Hidden folders and build
/// outputs are skipped.
///
/// # Panics
/// Panics if a folder cannot be read.
pub fn pages(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let path = entry.path();
        let name = entry.file_name();
        let is_skipped = name == "target" || name.to_string_lossy().starts_with('.');
        if entry.file_type().unwrap().is_dir() && !is_skipped {
            found.extend(pages(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Returns the destinations of the relative links and images of a page, as written in the page.
///
/// # Panics
/// Panics if the page cannot be read.
pub fn relative_links(page: &Path) -> Vec<String> {
    Outline::read(page).destinations
}

/// Returns the relative links of a page that do not resolve.
///
/// # Panics
/// Panics if a page cannot be read.
pub fn broken_links(page: &Path) -> Vec<BrokenLink> {
    let broken = |destination: String| {
        let problem = link_problem(page, &destination)?;
        Some(BrokenLink { destination, problem })
    };
    relative_links(page).into_iter().filter_map(broken).collect()
}

fn link_problem(page: &Path, destination: &str) -> Option<LinkProblem> {
    let (path, anchor) = destination.split_once('#').unwrap_or((destination, ""));
    let target = if path.is_empty() { page.to_owned() } else { page.parent()?.join(path) };
    if !target.exists() {
        return Some(LinkProblem::NoSuchFile);
    }
    let is_page = target.extension().is_some_and(|extension| extension == "md");
    let resolves = anchor.is_empty() || is_page && Outline::read(&target).anchors.contains(anchor);
    (!resolves).then_some(LinkProblem::NoSuchHeading)
}

impl Outline {
    fn read(page: &Path) -> Self {
        let text = fs::read_to_string(page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
        let mut outline = Self::default();
        let mut heading: Option<String> = None;
        for event in Parser::new_ext(&text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) if is_relative(&dest_url) => {
                    outline.destinations.push(dest_url.into_string());
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::Text(text) | Event::Code(text) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&text);
                    }
                }
                Event::End(TagEnd::Heading(_)) => {
                    let anchor = outline.unused_anchor(&heading.take().unwrap_or_default());
                    outline.anchors.insert(anchor);
                }
                _ => {}
            }
        }
        outline
    }

    /// Returns the anchor of a heading by GitHub's rule: the slug, with a suffix `-1`, `-2` … from
    /// the second use.
    fn unused_anchor(&self, heading: &str) -> String {
        let slug = slug(heading);
        let numbered = (1..).map(|number| format!("{slug}-{number}"));
        let mut candidates = std::iter::once(slug.clone()).chain(numbered);
        candidates.find(|anchor| !self.anchors.contains(anchor)).unwrap_or_default()
    }
}

/// Returns the slug of a heading by GitHub's rule: lower case, spaces as hyphens, without
/// punctuation except `-` and `_`.
fn slug(heading: &str) -> String {
    let kept = |char: &char| char.is_alphanumeric() || ['-', '_', ' '].contains(char);
    heading.to_lowercase().chars().filter(kept).map(|char| if char == ' ' { '-' } else { char }).collect()
}

fn is_relative(destination: &str) -> bool {
    !destination.contains("://") && !destination.starts_with("mailto:")
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn folder_with_pages(pages: &[(&str, &str)]) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in pages {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn links_to_files_folders_and_headings_resolve() {
        let page = "# Top\n\n## `oculus-host` – Keys, in short\n\n## Twice\n\n## Twice\n\n\
                    [a](sub/other.md) [b](sub) [c](#top) [d](#oculus-host--keys-in-short) [e](#twice-1) \
                    [f](sub/other.md#part_1) ![g](sub/other.md) [h](https://example.org/no#where) [i][i]\n\n\
                    [i]: #twice\n";
        let folder = folder_with_pages(&[
            ("page.md", page),
            ("sub/other.md", "| a |\n| --- |\n| [x](../page.md#twice) |\n\n# Part_1\n"),
        ]);
        for (page, n_links) in [("page.md", 8), ("sub/other.md", 1)] {
            let page = folder.path().join(page);
            assert_eq!(relative_links(&page).len(), n_links);
            assert_eq!(broken_links(&page), []);
        }
    }

    #[test]
    fn links_to_missing_files_and_headings_are_broken() {
        let page = "# Top\n\n[a](gone.md) [b](#bottom) [c](other.md#bottom) [d](code.rs#L1) ![e](gone.svg)\n";
        let folder = folder_with_pages(&[("page.md", page), ("other.md", "# Top\n"), ("code.rs", "")]);
        let broken = broken_links(&folder.path().join("page.md"));
        let broken: Vec<_> = broken.iter().map(|link| (link.destination.as_str(), link.problem)).collect();
        use LinkProblem::{NoSuchFile, NoSuchHeading};
        let expected = [
            ("gone.md", NoSuchFile),
            ("#bottom", NoSuchHeading),
            ("other.md#bottom", NoSuchHeading),
            ("code.rs#L1", NoSuchHeading),
            ("gone.svg", NoSuchFile),
        ];
        assert_eq!(broken, expected);
    }

    #[test]
    fn code_contains_no_links_and_no_headings() {
        let page = "# Top\n\n`[a](gone.md)`\n\n```\n# Bottom\n[b](gone.md)\n```\n\n[c](#bottom)\n";
        let folder = folder_with_pages(&[("page.md", page)]);
        let broken = broken_links(&folder.path().join("page.md"));
        assert_eq!(broken, [BrokenLink { destination: "#bottom".to_owned(), problem: LinkProblem::NoSuchHeading }]);
    }

    #[test]
    fn pages_are_found_in_visible_folders_without_build_outputs() {
        let folder = folder_with_pages(&[
            ("a.md", ""),
            ("b/c.md", ""),
            ("b/d.txt", ""),
            (".hidden/e.md", ""),
            ("target/f.md", ""),
        ]);
        let found = pages(folder.path());
        assert_eq!(found, ["a.md", "b/c.md"].map(|name| folder.path().join(name)));
    }
}
