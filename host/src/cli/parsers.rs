//! Parsers for the values of flags. Their errors are messages for the command line.

use oculus_job::request::{SYMBOL_RULE, Timeframe, is_symbol};

/// Parses a symbol.
///
/// # Errors
/// Returns a message that states the allowed symbols.
pub(super) fn symbol(text: &str) -> Result<String, String> {
    if is_symbol(text) { Ok(text.to_owned()) } else { Err(format!("expected {SYMBOL_RULE}")) }
}

/// Parses the length of a bar.
///
/// # Errors
/// Returns a message that lists the known lengths.
pub(super) fn timeframe(name: &str) -> Result<Timeframe, String> {
    let known = Timeframe::ALL.map(Timeframe::name).join(", ");
    Timeframe::from_name(name).ok_or_else(|| format!("expected one of {known}"))
}

/// Parses a number of years back from now.
///
/// # Errors
/// Returns a message that states the allowed range.
pub(super) fn years(text: &str) -> Result<f64, String> {
    let years = text.parse().ok().filter(|years| (0.01..=50.0).contains(years));
    years.ok_or_else(|| "expected a number from 0.01 to 50".to_owned())
}
