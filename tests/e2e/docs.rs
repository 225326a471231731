//! The generated pages and diagrams of `docs/` are current, and the links of all pages resolve.

use std::path::Path;

use oculus_tests::outside::CHECKOUT;
use oculus_tests::{build, command, markdown};

#[test]
fn every_relative_link_of_every_page_resolves() {
    // A template is the head of a generated page, and its links are resolved from there.
    let mut pages = markdown::pages(Path::new(CHECKOUT));
    pages.retain(|page| !page.components().any(|part| part.as_os_str() == "templates"));
    let n_links: usize = pages.iter().map(|page| markdown::relative_links(page).len()).sum();
    assert!(pages.len() > 40 && n_links > 50, "{n_links} links of {pages:?}");
    for page in pages {
        assert_eq!(markdown::broken_links(&page), [], "{}", page.display());
    }
}

#[test]
fn the_page_of_parameters_matches_the_manifests() {
    let folder = build::families();
    let listed = command::run(&["plugin", "list", "--markdown"], &[("PLUGINS_DIR", folder.to_str().unwrap())]);
    assert_eq!(listed.code, 0, "{listed:?}");
    let families = listed.stdout;
    for family in ["## LightGBM", "## Linear", "## LSTM", "## MLP"] {
        assert!(families.contains(family), "{family} is missing; listed: {families}");
    }
    let page = include_str!("../../docs/parameters.md");
    assert!(page.ends_with(&families), "docs/parameters.md is outdated; `cargo xtask docs` writes it");
}

#[test]
fn the_page_of_errors_lists_every_code_of_the_program() {
    let listed = command::run(&["errors", "--markdown"], &[]);
    assert_eq!(listed.code, 0, "{listed:?}");
    let page = include_str!("../../docs/errors.md");
    assert!(page.ends_with(&listed.stdout), "docs/errors.md is outdated; `cargo xtask docs` writes it");
}

#[test]
fn the_page_of_features_matches_the_catalogue() {
    let listed = command::run(&["features", "list", "--markdown"], &[]);
    assert_eq!(listed.code, 0, "{listed:?}");
    let page = include_str!("../../docs/features.md");
    assert!(page.ends_with(&listed.stdout), "docs/features.md is outdated; `cargo xtask docs` writes it");
}

#[test]
fn the_schemas_match_the_types_of_the_program() {
    let exchanged = ["job", "result", "progress", "registration", "heartbeat", "worker"];
    let outputs = ["jobs", "cancel", "dead-letters", "dead-changes", "queue-states", "drain"];
    for document in exchanged.into_iter().chain(outputs) {
        let printed = command::run(&["schema", document], &[]);
        assert_eq!(printed.code, 0, "{printed:?}");
        let path = Path::new(CHECKOUT).join(format!("docs/schema/{document}.schema.json"));
        let is_current = std::fs::read_to_string(&path).unwrap() == printed.stdout;
        assert!(is_current, "{} is outdated; `cargo xtask docs` writes it", path.display());
    }
}

#[test]
fn the_pages_of_results_and_progress_contain_the_keys_of_the_types() {
    let pages = [
        (include_str!("../../docs/result.md"), &["result"][..]),
        (include_str!("../../docs/progress.md"), &["progress", "registration", "heartbeat"]),
    ];
    for (page, documents) in pages {
        for document in documents {
            let examples = format!("{CHECKOUT}/docs/schema/examples/{document}.json");
            let printed = command::run(&["schema", document, "--markdown", "--examples", &examples], &[]);
            assert_eq!(printed.code, 0, "{printed:?}");
            assert!(
                page.contains(&printed.stdout),
                "the page of the {document} is outdated; `cargo xtask docs` writes it"
            );
        }
    }
}

#[test]
fn every_diagram_matches_its_source_text() {
    let folder = Path::new(CHECKOUT).join("docs/diagrams");
    let paths = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let texts: Vec<_> = paths.filter(|path| path.extension().is_some_and(|extension| extension == "dot")).collect();
    assert!(texts.len() >= 2, "{texts:?}");
    for path in texts {
        let text = std::fs::read_to_string(&path).unwrap();
        let drawing = std::fs::read_to_string(path.with_extension("svg")).unwrap();
        let is_current = drawing.ends_with(&format!("<!--\n{text}-->\n"));
        assert!(is_current, "{} has changed; `cargo xtask docs` draws it", path.display());
    }
}

#[test]
fn the_page_of_troubleshooting_covers_every_error_code() {
    let page = include_str!("../../docs/troubleshooting.md");
    let missing: Vec<_> =
        oculus_job::code::ErrorCode::ALL.iter().filter(|code| !page.contains(&format!("`{code}`"))).collect();
    assert!(missing.is_empty(), "docs/troubleshooting.md does not mention {missing:?}");
}
