//! `chaos`: the program that `cargo xtask chaos` starts.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use oculus_chaos::{Options, Report, run};

fn main() -> ExitCode {
    match report(Options::parse()) {
        Ok(report) if report.is_ok() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn report(options: Options) -> Result<Report> {
    let (json, markdown) = (options.json.clone(), options.markdown.clone());
    let report = run(options)?;
    println!("{report}");
    let text = serde_json::to_string_pretty(&report.to_json()).context("cannot write the report as JSON")?;
    write(json.as_deref(), &(text + "\n"))?;
    write(markdown.as_deref(), &report.to_markdown())?;
    Ok(report)
}

/// Writes a file, if the user has named one.
fn write(path: Option<&Path>, text: &str) -> Result<()> {
    path.map_or(Ok(()), |path| std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display())))
}
