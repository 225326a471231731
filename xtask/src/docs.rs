//! Generates the pages of `docs/` that contain tables printed by oculus-host.
//!
//! In: one template per page in `docs/templates/`, and the commands that print its tables. Out: the
//! template with each `{{tables}}` replaced by the output of the next command, and the JSON Schemas
//! in `docs/schema`. `tests/e2e/docs.rs` checks that the committed files are current.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell::{output, root};
use crate::{cargo, diagrams, examples, plugins};

/// Line of a template that is replaced by tables.
const PLACEHOLDER: &str = "{{tables}}\n";
/// The documents that have a schema.
const DOCUMENTS: [&str; 12] = [
    "job",
    "result",
    "progress",
    "registration",
    "heartbeat",
    "worker",
    "jobs",
    "cancel",
    "dead-letters",
    "dead-changes",
    "queue-states",
    "drain",
];

/// Builds the program and the plugins, and writes every generated page.
pub(crate) fn write() -> Result<()> {
    diagrams::draw()?;
    // The page of parameters contains the manifests of the built plugins.
    plugins::publish(&[])?;
    let program = cargo::build_dir()?.join("oculus-host");
    let host = |arguments: &[&str]| output_of(&program, arguments);
    let families = host(&["plugin", "list", "--markdown", "--plugins", &root().join("plugins").to_string_lossy()])?;
    write_page("parameters.md", &[families])?;
    write_page("features.md", &[host(&["features", "list", "--markdown"])?])?;
    write_page("errors.md", &[host(&["errors", "--markdown"])?])?;
    for document in DOCUMENTS {
        write_file(&format!("schema/{document}.schema.json"), &host(&["schema", document])?)?;
    }
    examples::refresh_results(&program)?;
    let keys = |document: &str| {
        let examples = root().join(format!("docs/schema/examples/{document}.json"));
        host(&["schema", document, "--markdown", "--examples", &examples.to_string_lossy()])
    };
    write_page("result.md", &[keys("result")?])?;
    write_page("progress.md", &[keys("progress")?, keys("registration")?, keys("heartbeat")?])
}

/// Returns the output of a command of the built program.
fn output_of(program: &Path, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new(program);
    output(command.args(arguments)).with_context(|| format!("{command:?} failed"))
}

/// Writes one page: its template with tables.
fn write_page(name: &str, tables: &[String]) -> Result<()> {
    let template_path = root().join("docs/templates").join(name);
    let template =
        fs::read_to_string(&template_path).with_context(|| format!("cannot read {}", template_path.display()))?;
    let page = fill(&template, tables).with_context(|| format!("invalid template {}", template_path.display()))?;
    write_file(name, &page)
}

/// Writes a file of `docs/`.
fn write_file(name: &str, text: &str) -> Result<()> {
    let path = root().join("docs").join(name);
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    eprintln!("docs: wrote {}", path.display());
    Ok(())
}

/// Replaces the placeholders by tables, of which there must be one per placeholder.
fn fill(template: &str, tables: &[String]) -> Result<String> {
    let n_placeholders = template.matches(PLACEHOLDER).count();
    let n_tables = tables.len();
    if n_placeholders != n_tables {
        bail!("found the line {:?} {n_placeholders} times, expected {n_tables}", PLACEHOLDER.trim_end());
    }
    Ok(tables.iter().fold(template.to_owned(), |page, tables| page.replacen(PLACEHOLDER, tables, 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill_with(template: &str, tables: &[&str]) -> Option<String> {
        fill(template, &tables.iter().map(ToString::to_string).collect::<Vec<_>>()).ok()
    }

    #[test]
    fn only_the_placeholders_are_replaced_in_order() {
        let page = fill_with("# Head\n\n{{tables}}\nfoot\n{{tables}}\n", &["| a |\n", "| b |\n"]);
        assert_eq!(page.as_deref(), Some("# Head\n\n| a |\nfoot\n| b |\n"));
    }

    #[test]
    fn a_template_with_too_few_or_too_many_placeholders_is_an_error() {
        assert_eq!(fill_with("# Head\n", &["| a |\n"]), None);
        assert_eq!(fill_with("{{tables}}\n{{tables}}\n", &["| a |\n"]), None);
    }
}
