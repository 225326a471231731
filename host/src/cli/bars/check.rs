//! `oculus-host bars check`: lists the errors and irregularities of bars.

use std::collections::BTreeSet;
use std::fmt;
use std::process::ExitCode;

use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use oculus_job::code::ErrorCode;
use oculus_job::error::JobError;
use oculus_job::request::Timeframe;
use oculus_job::warning::WarningCode;
use oculus_pipeline::bars::{
    FindingKind, FindingPlace, Inspection, Severity, TimeRange, format_bar_time, missing_days,
};
use oculus_pipeline::date::iso_date;
use serde::Serialize;

use super::reading::{InspectedSymbol, Reader};
use crate::cli::exit_code;
use crate::cli::parsers::{symbol, timeframe, years};
use crate::cli::stdout::print_output;
use crate::config::Config;

/// Check bars for duplicates, conflicts, gaps and unadjusted splits
///
/// Checks every file of the configured folder, or only the named symbols. The exit code is 3 if a
/// job would refuse the bars of a symbol.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Example:\n  oculus-host bars check --bars examples/bars --symbol AAPL")]
pub(crate) struct BarsCheckArgs {
    /// Symbol to check; can be repeated [default: every symbol of the folder]
    #[arg(long = "symbol", value_name = "S", value_parser = symbol)]
    pub symbols: Vec<String>,
    /// Length of a bar: 1m, 5m, 15m, 30m, 1h, 4h, 1d or 1w
    #[arg(long, value_name = "T", default_value = "1d", value_parser = timeframe)]
    pub timeframe: Timeframe,
    /// Number of years to request from Polygon, counted back from now
    #[arg(long, value_name = "N", default_value = "2", value_parser = years)]
    pub years: f64,
    /// Print a JSON object instead of a table
    #[arg(long)]
    pub json: bool,
}

/// The findings in the form that `--json` prints.
#[derive(Serialize)]
struct CheckReport {
    symbols: Vec<CheckedSymbol>,
}

#[derive(Serialize)]
struct CheckedSymbol {
    symbol: String,
    refused: bool,
    /// Number of rows of the source; `None` if they cannot be read.
    rows: Option<usize>,
    /// Number of valid bars.
    bars: usize,
    first: Option<String>,
    last: Option<String>,
    findings: Vec<FindingRow>,
    /// The distinct session days of the bars.
    #[serde(skip)]
    days: Vec<i32>,
}

#[derive(Serialize)]
struct FindingRow {
    code: FindingCode,
    severity: Severity,
    count: usize,
    message: String,
    places: Vec<FindingPlace>,
}

/// The code of a finding: the error code of the refused job, or a warning code.
#[derive(Clone, Copy, Serialize)]
#[serde(untagged)]
enum FindingCode {
    Error(ErrorCode),
    Warning(WarningCode),
}

impl fmt::Display for FindingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(code) => code.fmt(f),
            Self::Warning(code) => code.fmt(f),
        }
    }
}

/// Checks bars and prints the findings; the exit code is 0 if every symbol can be used, 3 if one is
/// refused.
///
/// # Errors
/// Returns an error if the source of bars cannot be read or stdout cannot be written.
pub(super) fn run(config: &Config, args: &BarsCheckArgs) -> anyhow::Result<ExitCode> {
    let reader = Reader::open(config, args.timeframe, TimeRange::Back { years: args.years, n_bars: 0 })?;
    let mut symbols = Vec::new();
    for symbol in reader.symbols(&args.symbols)? {
        symbols.push(check_symbol(reader.inspect(&symbol)?, args.timeframe, &reader));
    }
    add_gaps(&mut symbols);
    let is_refused = symbols.iter().any(|checked| checked.refused);
    let report = CheckReport { symbols };
    print_output(&if args.json { serde_json::to_string_pretty(&report)? } else { table(&report).to_string() })?;
    Ok(if is_refused { ExitCode::from(exit_code::REFUSED) } else { ExitCode::SUCCESS })
}

fn check_symbol(inspected: InspectedSymbol, timeframe: Timeframe, reader: &Reader) -> CheckedSymbol {
    let InspectedSymbol { symbol, inspection, warnings } = inspected;
    let from_source = warnings.into_iter().map(|warning| FindingRow {
        code: FindingCode::Warning(warning.code),
        severity: Severity::Noted,
        count: 1,
        message: warning.message,
        places: Vec::new(),
    });
    match inspection {
        Ok(inspection) => {
            let when = |time: Option<&i64>| time.map(|&time| format_bar_time(time, timeframe));
            let Inspection { bars, .. } = &inspection;
            let mut days = bars.session_days(timeframe);
            // All intraday bars of a session have the same day, so repeated days are removed.
            days.dedup();
            // If a source has only invalid rows, their findings state why there are no bars.
            let no_bars = (inspection.n_rows == 0).then(|| FindingRow {
                code: FindingCode::Error(ErrorCode::NoBars),
                severity: Severity::Refused,
                count: 1,
                message: format!("{} contains no bars", inspection.origin),
                places: Vec::new(),
            });
            CheckedSymbol {
                symbol,
                refused: inspection.refusal().is_some() || no_bars.is_some(),
                rows: Some(inspection.n_rows),
                bars: bars.len(),
                first: when(bars.time.first()),
                last: when(bars.time.last()),
                findings: from_source.chain(no_bars).chain(finding_rows(&inspection)).collect(),
                days,
            }
        }
        Err(failure) => {
            let failure = failure.unwrap_or_else(|| reader.no_bars_failure(std::slice::from_ref(&symbol)));
            let JobError { code, message, .. } = failure;
            let row = FindingRow {
                code: FindingCode::Error(code),
                severity: Severity::Refused,
                count: 1,
                message,
                places: Vec::new(),
            };
            CheckedSymbol {
                symbol,
                refused: true,
                rows: None,
                bars: 0,
                first: None,
                last: None,
                findings: vec![row],
                days: Vec::new(),
            }
        }
    }
}

fn finding_rows(inspection: &Inspection) -> impl Iterator<Item = FindingRow> {
    inspection.findings.iter().map(|finding| FindingRow {
        code: FindingCode::Warning(finding.kind.code()),
        severity: finding.kind.severity(),
        count: finding.count,
        message: inspection.message(finding),
        places: finding.places.clone(),
    })
}

/// Adds to each symbol the dates on which another symbol traded but this symbol did not.
fn add_gaps(symbols: &mut [CheckedSymbol]) {
    // There is no calendar of holidays. Therefore a trading day is a day on which at least one of
    // the symbols traded.
    let all: BTreeSet<i32> = symbols.iter().flat_map(|checked| &checked.days).copied().collect();
    for checked in symbols {
        let missing = missing_days(&checked.days, &all);
        let Some(&first) = missing.first() else { continue };
        let kind = FindingKind::Gaps;
        let message =
            format!("{}: {}: {}, the first {}", checked.symbol, kind.summary(), missing.len(), iso_date(first));
        checked.findings.push(FindingRow {
            code: FindingCode::Warning(kind.code()),
            severity: kind.severity(),
            count: missing.len(),
            message,
            places: Vec::new(),
        });
    }
}

fn table(report: &CheckReport) -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_header(["symbol", "bars", "first", "last", "finding", "count", "details"]);
    for CheckedSymbol { symbol, refused, rows, bars, first, last, findings, .. } in &report.symbols {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let n_bars = match rows {
            Some(rows) if *refused && rows > bars => format!("{bars} of {rows} rows"),
            _ => bars.to_string(),
        };
        let start = [symbol.clone(), n_bars, text(first), text(last)];
        if findings.is_empty() {
            table.add_row(start.iter().cloned().chain(["none".to_owned(), String::new(), String::new()]));
        }
        for (idx, FindingRow { code, severity, count, message, places }) in findings.iter().enumerate() {
            let start = if idx == 0 { start.clone() } else { Default::default() };
            let severity = format!("{severity:?}").to_lowercase();
            // The message describes the first occurrence; the others follow, one per line.
            let more = places
                .iter()
                .skip(1)
                .map(|FindingPlace { row, when, detail, .. }| format!("\n{when} ({row}): {detail}"));
            let details = format!("{message}{}", more.collect::<String>());
            table.add_row(start.into_iter().chain([format!("{severity}: {code}"), count.to_string(), details]));
        }
    }
    table
}
