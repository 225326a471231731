//! Generates the pages of `docs/` that contain tables printed by oculus-host.
//!
//! In: one template per page in `docs/templates/`, and a command that prints Markdown. Out: the
//! template with `{{tables}}` replaced by the output of the command. `tests/e2e/docs.rs` checks
//! that the committed pages are current.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell::{output, root};
use crate::{cargo, diagrams, plugins};

/// Line of a template that is replaced by the tables.
const PLACEHOLDER: &str = "{{tables}}\n";

/// Builds the program and the plugins, and writes every generated page.
pub(crate) fn write() -> Result<()> {
    diagrams::draw()?;
    // The page of parameters contains the manifests of the built plugins.
    plugins::publish(&[])?;
    let host = cargo::build_dir()?.join("oculus-host");
    let mut families = Command::new(&host);
    families.args(["plugin", "list", "--markdown", "--plugins"]).arg(root().join("plugins"));
    write_page("parameters.md", &mut families)?;
    let mut features = Command::new(&host);
    features.args(["features", "list", "--markdown"]);
    write_page("features.md", &mut features)?;
    let mut errors = Command::new(&host);
    errors.args(["errors", "--markdown"]);
    write_page("errors.md", &mut errors)
}

/// Writes one page: its template with the output of a command.
fn write_page(name: &str, command: &mut Command) -> Result<()> {
    let docs = root().join("docs");
    let template_path = docs.join("templates").join(name);
    let template =
        fs::read_to_string(&template_path).with_context(|| format!("cannot read {}", template_path.display()))?;
    let tables = output(command).with_context(|| format!("{command:?} failed"))?;
    let page = fill(&template, &tables).with_context(|| format!("invalid template {}", template_path.display()))?;
    let path = docs.join(name);
    fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))?;
    eprintln!("docs: wrote {}", path.display());
    Ok(())
}

/// Replaces the placeholder, which must occur exactly once.
fn fill(template: &str, tables: &str) -> Result<String> {
    let n_placeholders = template.matches(PLACEHOLDER).count();
    if n_placeholders != 1 {
        bail!("found the line {:?} {n_placeholders} times, expected it once", PLACEHOLDER.trim_end());
    }
    Ok(template.replacen(PLACEHOLDER, tables, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_placeholder_is_replaced() {
        assert_eq!(fill("# Head\n\n{{tables}}\nfoot\n", "| a |\n").ok().as_deref(), Some("# Head\n\n| a |\nfoot\n"));
    }

    #[test]
    fn a_template_with_no_or_two_placeholders_is_an_error() {
        assert!(fill("# Head\n", "| a |\n").is_err());
        assert!(fill("{{tables}}\n{{tables}}\n", "| a |\n").is_err());
    }
}
