//! Formats a result object as a readable summary: tables and text bars instead of JSON.

mod rules;
mod strategy;
mod table;

use std::fmt::Write;

use oculus_job::result::FailedResult;
use oculus_job::warning::Warning;
use oculus_pipeline::metrics::{Finite, Interval};
use oculus_pipeline::models::{ModelRow, ModelStatus, TestMetrics};
use oculus_pipeline::report::{FeatureImportance, Report};
use serde::Deserialize;
use serde_json::Value;

use self::table::{number, optional, table, with_interval};
use super::job_result::JobResult;
use super::stdout;

/// Maximum number of features shown.
const SHOWN_FEATURES: usize = 10;
/// Width of the longest bar in characters.
const BAR_WIDTH: f64 = 24.0;

/// Prints a result on stdout, as a summary or as JSON.
///
/// A result that this version cannot parse, for example from a newer worker, is always printed as
/// JSON.
///
/// # Errors
/// Returns an [`io::Error`](std::io::Error) if stdout cannot be written.
pub(super) fn print(result: &Value, as_json: bool) -> std::io::Result<()> {
    let summary = if as_json { None } else { try_summarize(result) };
    match summary {
        Some(text) => stdout::print_output(&text),
        None => stdout::print_output(&serde_json::to_string_pretty(result)?),
    }
}

/// Returns the summary of a result. Logs a warning and returns `None` if this version cannot parse
/// the result.
fn try_summarize(result: &Value) -> Option<String> {
    let parsed = JobResult::from_json(result);
    let warn = |error: &serde_json::Error| {
        tracing::warn!("cannot parse the result, so it is printed as JSON: {error}");
    };
    parsed.inspect_err(warn).ok().map(|result| summarize(&result))
}

/// Returns the summary of a parsed result, one paragraph per part.
fn summarize(result: &JobResult) -> String {
    match result {
        JobResult::Success(report) => success(report),
        JobResult::Failed(result) => failure(result),
    }
}

fn success(report: &Report) -> String {
    let parts = [
        heading(report),
        metrics(&report.model_metrics),
        families(&report.models),
        features(&report.extracted_rules.top_features),
        rules::rules(&report.extracted_rules),
        strategy::strategy(&report.verdict, &report.strategy_optimization, &report.submissions),
        warnings(&report.warnings),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
}

fn failure(result: &FailedResult) -> String {
    let FailedResult { build_id, status, phase, error, .. } = result;
    let status = status.name();
    let phase = phase.name();
    format!("{build_id} {status} in {phase}: {}\n{}\nhint: {}", error.code, error.message, error.hint)
}

/// Fields of the echoed job configuration that the heading shows.
#[derive(Default, Deserialize)]
struct HeadingFields {
    symbols: Vec<String>,
    timeframe: String,
}

fn heading(report: &Report) -> String {
    let label = &report.model_metrics.label;
    // The heading is printed even if these fields have another form, as in the result of a later
    // version.
    let HeadingFields { symbols, timeframe } = HeadingFields::deserialize(&report.design_config).unwrap_or_default();
    format!(
        "{} · {} · {} · winner {} for a return of at least {:.1} % after {} sessions",
        report.build_id,
        symbols.join(", "),
        timeframe,
        report.model_metrics.model_name,
        label.threshold_pct,
        label.horizon_days,
    )
}

fn metrics(metrics: &TestMetrics) -> String {
    let mut table = table(["test period", "", "for comparison"]);
    let figure = |value: Option<Finite>, interval: Option<Interval>| with_interval(value, interval, 3);
    let dates = format!("{} to {}", optional(metrics.test_from.as_ref()), optional(metrics.test_to.as_ref()));
    let rows = [
        ("AUC", figure(metrics.auc, metrics.auc_ci95), chance(metrics)),
        (
            "AUC minus volatility's",
            figure(metrics.auc_minus_baseline, metrics.auc_minus_baseline_ci95),
            format!("volatility alone {}", number(metrics.auc_volatility_baseline, 3)),
        ),
        ("PR-AUC", number(metrics.pr_auc, 3), format!("base rate {}", number(metrics.base_rate, 3))),
        ("precision", number(metrics.precision, 3), format!("recall {}", number(metrics.recall, 3))),
        ("F1", number(metrics.f1, 3), format!("threshold {}", number(metrics.threshold, 3))),
        ("rows", format!("{}, {} positive", metrics.n_test, metrics.n_test_positive), dates),
    ];
    for (name, value, comparison) in rows {
        table.add_row([name.to_owned(), value, comparison]);
    }
    table.to_string()
}

/// Returns the range of the AUC by chance.
fn chance(metrics: &TestMetrics) -> String {
    match metrics.auc_chance95 {
        Some(Interval(low, high)) => format!("chance {:.3} to {:.3}", low.get(), high.get()),
        None => String::new(),
    }
}

fn families(models: &[ModelRow]) -> String {
    let mut table = table(["family", "status", "validation AUC", "plugin"]);
    for model in models {
        let reason = model.reason.as_ref().or(model.winner_reason.as_ref());
        let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        let status = match model.status {
            ModelStatus::Ok if model.winner => "winner",
            ModelStatus::Ok if model.is_baseline => "baseline",
            ModelStatus::Ok => "ok",
            ModelStatus::Skipped => "skipped",
            ModelStatus::Failed => "failed",
        };
        let source = match model.members.as_slice() {
            [] => format!("{} {}", optional(model.plugin.as_ref()), optional(model.version.as_ref())),
            members => format!("ranks of {}", members.join(", ")),
        };
        table.add_row([
            model.name.clone(),
            format!("{status}{reason}"),
            number(model.validation.as_ref().and_then(|validation| validation.auc), 3),
            source,
        ]);
    }
    table.to_string()
}

fn features(features: &[FeatureImportance]) -> String {
    // The bars are scaled by the largest share, which must not be zero.
    let Some(largest) = features.first().map(|feature| feature.importance.get()).filter(|share| *share > 0.0) else {
        return String::new();
    };
    let mut out = "feature importance of the winner (share of gain)".to_owned();
    for FeatureImportance { feature, importance } in features.iter().take(SHOWN_FEATURES) {
        let share = importance.get();
        let bar = "█".repeat((BAR_WIDTH * share / largest).round() as usize);
        // Writing to a string cannot fail.
        let _ = write!(out, "\n  {feature:<20} {bar:<24} {:>5.1} %", 100.0 * share);
    }
    out
}

fn warnings(warnings: &[Warning]) -> String {
    let lines: Vec<String> = warnings.iter().map(|warning| format!("warning: {}", warning.message)).collect();
    lines.join("\n")
}
