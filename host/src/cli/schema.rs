//! `oculus-host schema`: prints the JSON Schemas of the documents that a backend exchanges with the
//! worker.

mod documents;
mod example;
mod markdown;
mod shape;
mod strict;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use serde_json::Value;

use self::documents::Document;
use super::stdout;

/// Print the JSON Schema of a job, a result, a message or the output of a command
///
/// The schemas describe what this version of oculus-host reads and writes. A schema of a document
/// that the worker writes allows no other keys.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:\n  oculus-host schema result\n  oculus-host schema progress > progress.schema.json")]
pub(super) struct SchemaArgs {
    /// Document to describe
    #[arg(value_name = "DOCUMENT")]
    pub document: Document,
    /// Print Markdown tables, as in docs/result.md
    #[arg(long)]
    pub markdown: bool,
    /// JSON file with a list of documents, from which the tables take examples
    #[arg(long, value_name = "FILE", requires = "markdown")]
    pub examples: Option<PathBuf>,
}

/// Prints the schema of a document; the exit code is 0.
///
/// # Errors
/// Returns an error if the file of examples cannot be read, or if stdout cannot be written.
pub(super) fn run(args: &SchemaArgs) -> anyhow::Result<ExitCode> {
    let schema = args.document.schema();
    let text = if args.markdown {
        let examples = args.examples.as_deref().map(read_examples).transpose()?;
        markdown::tables(&schema, &examples.unwrap_or_default())
    } else {
        serde_json::to_string_pretty(&schema)?
    };
    stdout::print_output(text.trim_end())?;
    Ok(ExitCode::SUCCESS)
}

fn read_examples(path: &Path) -> anyhow::Result<Vec<Value>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text)
        .with_context(|| format!("{} is not a list of JSON documents: provide one", path.display()))
}
