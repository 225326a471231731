//! `oculus-host bars check`: every error and oddity of bars.

use std::collections::BTreeSet;
use std::fmt;
use std::process::ExitCode;

use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use oculus_job::code::ErrorCode;
use oculus_job::failure::Failure;
use oculus_job::request::Timeframe;
use oculus_job::warning::WarningCode;
use oculus_pipeline::bars::{FindingKind, Inspection, Place, Reach, Severity, missing_days, moment};
use oculus_pipeline::date::iso_date;
use serde::Serialize;

use super::reading::{InspectedSymbol, Reader};
use crate::cli::exit_code;
use crate::cli::parsers::{symbol, timeframe, years};
use crate::cli::stdout::print_answer;
use crate::config::Config;

/// Check bars: duplicates, conflicts, gaps, splits that prices are not adjusted for
///
/// Looks at every file of the configured folder, or at the symbols named. The exit code is 3 where a job would refuse one.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Example:\n  oculus-host bars check --bars examples/bars --symbol AAPL")]
pub(crate) struct BarsCheckArgs {
    /// Symbol to check; may be given several times [default: every file of the folder]
    #[arg(long = "symbol", value_name = "S", value_parser = symbol)]
    pub symbols: Vec<String>,
    /// Length of a bar
    #[arg(long, value_name = "T", default_value = "1d", value_parser = timeframe)]
    pub timeframe: Timeframe,
    /// Years back from now, where bars come from Polygon
    #[arg(long, value_name = "N", default_value = "2", value_parser = years)]
    pub years: f64,
    /// Print an object instead of a table
    #[arg(long)]
    pub json: bool,
}

/// The findings, as `--json` prints them.
#[derive(Serialize)]
struct CheckReport {
    symbols: Vec<CheckedSymbol>,
}

#[derive(Serialize)]
struct CheckedSymbol {
    symbol: String,
    refused: bool,
    bars: usize,
    first: Option<String>,
    last: Option<String>,
    findings: Vec<FindingRow>,
    #[serde(skip)]
    days: Vec<i32>,
}

#[derive(Serialize)]
struct FindingRow {
    code: FindingCode,
    severity: Severity,
    count: usize,
    message: String,
    places: Vec<Place>,
}

/// The code of a finding: that of the error with which a job would be refused, or of a warning.
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

/// Checks bars; the exit code is 0 if every symbol can be used, 3 if one is refused.
///
/// # Errors
/// The source of bars cannot be read.
pub(super) fn run(config: &Config, args: &BarsCheckArgs) -> anyhow::Result<ExitCode> {
    let reader = Reader::open(config, args.timeframe, Reach::Back { years: args.years, n_bars: 0 })?;
    let mut symbols = Vec::new();
    for symbol in reader.symbols(&args.symbols)? {
        symbols.push(checked(reader.inspect(&symbol)?, args.timeframe, &reader));
    }
    add_gaps(&mut symbols);
    let is_refused = symbols.iter().any(|checked| checked.refused);
    let report = CheckReport { symbols };
    print_answer(&if args.json { serde_json::to_string_pretty(&report)? } else { table(&report).to_string() })?;
    Ok(if is_refused { ExitCode::from(exit_code::REFUSED) } else { ExitCode::SUCCESS })
}

fn checked(inspected: InspectedSymbol, timeframe: Timeframe, reader: &Reader) -> CheckedSymbol {
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
            let when = |time: Option<&i64>| time.map(|&time| moment(time, timeframe));
            let Inspection { bars, .. } = &inspection;
            let mut days = bars.session_days(timeframe);
            days.dedup();
            let none = bars.is_empty().then(|| FindingRow {
                code: FindingCode::Error(ErrorCode::NoBars),
                severity: Severity::Refused,
                count: 1,
                message: format!("{} holds no bar", inspection.origin),
                places: Vec::new(),
            });
            CheckedSymbol {
                symbol,
                refused: inspection.refusal().is_some() || none.is_some(),
                bars: bars.len(),
                first: when(bars.time.first()),
                last: when(bars.time.last()),
                findings: from_source.chain(none).chain(finding_rows(&inspection)).collect(),
                days,
            }
        }
        Err(failure) => {
            let failure = failure.unwrap_or_else(|| reader.nothing(std::slice::from_ref(&symbol)));
            let Failure { code, message, .. } = failure;
            let line = FindingRow {
                code: FindingCode::Error(code),
                severity: Severity::Refused,
                count: 1,
                message,
                places: Vec::new(),
            };
            CheckedSymbol {
                symbol,
                refused: true,
                bars: 0,
                first: None,
                last: None,
                findings: vec![line],
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

/// Adds to each symbol the dates on which other symbols traded but it did not.
fn add_gaps(symbols: &mut [CheckedSymbol]) {
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
    table.load_style(UTF8_FULL_CONDENSED).set_header(["symbol", "bars", "first", "last", "finding", "count", "what"]);
    for CheckedSymbol { symbol, bars, first, last, findings, .. } in &report.symbols {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let start = [symbol.clone(), bars.to_string(), text(first), text(last)];
        if findings.is_empty() {
            table.add_row(start.iter().cloned().chain(["sound".to_owned(), String::new(), String::new()]));
        }
        for (idx, FindingRow { code, severity, count, message, places }) in findings.iter().enumerate() {
            let start = if idx == 0 { start.clone() } else { Default::default() };
            let severity = format!("{severity:?}").to_lowercase();
            let more = places.iter().skip(1).map(|Place { row, when, what, .. }| format!("\n{when} ({row}): {what}"));
            let what = format!("{message}{}", more.collect::<String>());
            table.add_row(start.into_iter().chain([format!("{severity}: {code}"), count.to_string(), what]));
        }
    }
    table
}
