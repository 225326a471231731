//! What flags may say, in words for the command line.

use oculus_job::request::{Timeframe, is_symbol};

/// A symbol.
///
/// # Errors
/// What is needed.
pub(super) fn symbol(text: &str) -> Result<String, String> {
    let needed = "needed 1 to 64 of A–Z a–z 0–9 . - _ ^ : that do not start with a dot";
    if is_symbol(text) { Ok(text.to_owned()) } else { Err(needed.to_owned()) }
}

/// The length of a bar.
///
/// # Errors
/// What is needed.
pub(super) fn timeframe(name: &str) -> Result<Timeframe, String> {
    let known = Timeframe::ALL.map(Timeframe::name).join(", ");
    Timeframe::from_name(name).ok_or_else(|| format!("needed one of {known}"))
}

/// A span back from now, in years.
///
/// # Errors
/// What is needed.
pub(super) fn years(text: &str) -> Result<f64, String> {
    let years = text.parse().ok().filter(|years| (0.01..=50.0).contains(years));
    years.ok_or_else(|| "needed a number from 0.01 to 50".to_owned())
}
