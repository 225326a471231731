//! Parsers of the values of flags. Their errors are texts for the command line.

use oculus_job::request::{Timeframe, is_symbol};

/// Parses a symbol.
///
/// # Errors
/// The rule of symbols.
pub(super) fn symbol(text: &str) -> Result<String, String> {
    let needed = "needed 1 to 64 of A–Z a–z 0–9 . - _ ^ : that do not start with a dot";
    if is_symbol(text) { Ok(text.to_owned()) } else { Err(needed.to_owned()) }
}

/// Parses the length of a bar.
///
/// # Errors
/// The known lengths.
pub(super) fn timeframe(name: &str) -> Result<Timeframe, String> {
    let known = Timeframe::ALL.map(Timeframe::name).join(", ");
    Timeframe::from_name(name).ok_or_else(|| format!("needed one of {known}"))
}

/// Parses a number of years back from now.
///
/// # Errors
/// The allowed range.
pub(super) fn years(text: &str) -> Result<f64, String> {
    let years = text.parse().ok().filter(|years| (0.01..=50.0).contains(years));
    years.ok_or_else(|| "needed a number from 0.01 to 50".to_owned())
}
