//! `oculus-host errors`: explains the codes of failures and warnings.

use std::process::ExitCode;

use anyhow::bail;
use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use oculus_job::code::ErrorCode;
use oculus_job::warning::WarningCode;

use super::stdout;

/// Explain the error and warning codes of results
///
/// Prints the meaning and the remedy of each code, and whether a retry can help.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:\n  oculus-host errors\n  oculus-host errors too_few_bars")]
pub(super) struct ErrorsArgs {
    /// Code to explain, such as too_few_bars [default: all codes]
    #[arg(value_name = "CODE")]
    pub code: Option<String>,
    /// Print Markdown tables, as in docs/errors.md
    #[arg(long, conflicts_with = "code")]
    pub markdown: bool,
}

/// Prints the explanation of one code or of all codes; the exit code is 0.
///
/// # Errors
/// Returns an error if the code is unknown or stdout cannot be written.
pub(super) fn run(args: &ErrorsArgs) -> anyhow::Result<ExitCode> {
    let text = match &args.code {
        Some(code) => explain(code)?,
        None if args.markdown => markdown(),
        None => tables(),
    };
    stdout::print_output(text.trim_end())?;
    Ok(ExitCode::SUCCESS)
}

fn explain(code: &str) -> anyhow::Result<String> {
    let error = ErrorCode::ALL.iter().find(|known| known.as_str() == code);
    let warning = WarningCode::ALL.iter().find(|known| known.as_str() == code);
    // Some codes, such as `history_not_in_plan`, are both an error and a warning.
    if error.is_none() && warning.is_none() {
        bail!("unknown code `{code}`; `oculus-host errors` lists all codes of this version");
    }
    let error = error.map(|error| {
        let retryable = error.retryable().as_str();
        format!("error {error}\n  {}\n  remedy: {}\n  retryable: {retryable}\n", error.meaning(), error.remedy())
    });
    let warning =
        warning.map(|warning| format!("warning {warning}\n  {}\n  remedy: {}\n", warning.meaning(), warning.remedy()));
    Ok([error, warning].into_iter().flatten().collect::<Vec<_>>().join("\n"))
}

fn tables() -> String {
    let mut errors = table(["error", "meaning", "remedy", "retryable"]);
    for code in ErrorCode::ALL {
        errors.add_row([code.as_str(), code.meaning(), code.remedy(), code.retryable().as_str()]);
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
        format!("| `{code}` | {} | {} | {} |\n", code.meaning(), code.remedy(), code.retryable().as_str())
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
    fn a_code_that_is_an_error_and_a_warning_is_explained_as_both() {
        let text = explain("history_not_in_plan").unwrap();
        assert!(text.contains("error history_not_in_plan") && text.contains("warning history_not_in_plan"), "{text}");
        assert!(explain("no_such_code").is_err());
    }
}
