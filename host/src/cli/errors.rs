//! `oculus-host errors`: the codes of failures and warnings, with meaning and remedy.

use std::process::ExitCode;

use anyhow::bail;
use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use oculus_job::code::ErrorCode;
use oculus_job::warning::WarningCode;

use super::stdout;

/// Explain the error and warning codes of results
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:\n  oculus-host errors\n  oculus-host errors too_few_bars")]
pub(super) struct ErrorsArgs {
    /// One code to explain, such as too_few_bars [default: all]
    #[arg(value_name = "CODE")]
    pub code: Option<String>,
    /// Print the tables of docs/errors.md
    #[arg(long, conflicts_with = "code")]
    pub markdown: bool,
}

/// Prints the codes; the exit code is 0.
///
/// # Errors
/// An unknown code.
pub(super) fn run(args: &ErrorsArgs) -> anyhow::Result<ExitCode> {
    let text = match &args.code {
        Some(code) => explain(code)?,
        None if args.markdown => markdown(),
        None => tables(),
    };
    stdout::print_answer(text.trim_end())?;
    Ok(ExitCode::SUCCESS)
}

fn explain(code: &str) -> anyhow::Result<String> {
    let error = ErrorCode::ALL.iter().find(|known| known.as_str() == code);
    let warning = WarningCode::ALL.iter().find(|known| known.as_str() == code);
    if error.is_none() && warning.is_none() {
        bail!("`{code}` is not a code of this version; `oculus-host errors` lists all");
    }
    let error = error.map(|error| {
        let retryable = error.retryable().word();
        format!("error {error}\n  {}\n  remedy: {}\n  retryable: {retryable}\n", error.meaning(), error.remedy())
    });
    let warning =
        warning.map(|warning| format!("warning {warning}\n  {}\n  remedy: {}\n", warning.meaning(), warning.remedy()));
    Ok([error, warning].into_iter().flatten().collect::<Vec<_>>().join("\n"))
}

fn tables() -> String {
    let mut errors = table(["error", "meaning", "remedy", "retryable"]);
    for code in ErrorCode::ALL {
        errors.add_row([code.as_str(), code.meaning(), code.remedy(), code.retryable().word()]);
    }
    let mut warnings = table(["warning", "meaning", "remedy"]);
    for code in WarningCode::ALL {
        warnings.add_row([code.as_str(), code.meaning(), code.remedy()]);
    }
    format!("{errors}\n\n{warnings}")
}

fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(header);
    table
}

fn markdown() -> String {
    let error = |code: &ErrorCode| {
        format!("| `{code}` | {} | {} | {} |\n", code.meaning(), code.remedy(), code.retryable().word())
    };
    let warning = |code: &WarningCode| format!("| `{code}` | {} | {} |\n", code.meaning(), code.remedy());
    let errors: String = ErrorCode::ALL.iter().map(error).collect();
    let warnings: String = WarningCode::ALL.iter().map(warning).collect();
    format!(
        "## Errors\n\n| code | meaning | remedy | retryable |\n| --- | --- | --- | --- |\n{errors}\n\
         ## Warnings\n\n| code | meaning | remedy |\n| --- | --- | --- |\n{warnings}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_explained_as_error_and_as_warning_where_it_is_both() {
        let text = explain("history_not_in_plan").unwrap();
        assert!(text.contains("error history_not_in_plan") && text.contains("warning history_not_in_plan"), "{text}");
        assert!(explain("no_such_code").is_err());
    }
}
