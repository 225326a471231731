//! Pages that the program writes are those that lie in `docs/`.

use oculus_tests::{build, command};

#[test]
fn the_page_of_parameters_says_what_the_manifests_say() {
    let folder = build::families();
    let listed = command::run(&["plugin", "list", "--markdown"], &[("PLUGINS_DIR", folder.to_str().unwrap())]);
    assert_eq!(listed.code, 0, "{listed:?}");
    let families = listed.stdout;
    for family in ["## LightGBM", "## LSTM", "## MLP"] {
        assert!(families.contains(family), "{family} is missing; listed: {families}");
    }
    let page = include_str!("../../docs/parameters.md");
    assert!(page.ends_with(&families), "docs/parameters.md is old: `cargo xtask docs` writes it anew");
}

#[test]
fn the_page_of_errors_lists_every_code_of_the_program() {
    let listed = command::run(&["errors", "--markdown"], &[]);
    assert_eq!(listed.code, 0, "{listed:?}");
    let page = include_str!("../../docs/errors.md");
    assert!(page.ends_with(&listed.stdout), "docs/errors.md is outdated; `cargo xtask docs` writes it");
}

#[test]
fn the_page_of_features_says_what_the_catalogue_says() {
    let listed = command::run(&["features", "list", "--markdown"], &[]);
    assert_eq!(listed.code, 0, "{listed:?}");
    let page = include_str!("../../docs/features.md");
    assert!(page.ends_with(&listed.stdout), "docs/features.md is old: `cargo xtask docs` writes it anew");
}
