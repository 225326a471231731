//! What each side's rules are judged by: entries by the label, exits by its mirror.
//!
//! The mirror of a rise of `threshold_pct` is a fall of `threshold_pct` within the same horizon. It is decided by the
//! same return, so where the threshold is no rise its mirror is no fall, and there is no truth about exits.

use serde::Serialize;

use crate::{labels::Label, metrics::Undefined};

/// What a rule speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleSide {
    /// Opening: judged by the label, a rise of `threshold_pct`.
    Entry,
    /// Closing: judged by a fall of `threshold_pct` within the same horizon.
    Exit,
}

/// One a row of the table: 1 for what a rule of the side forecasts, 0 for anything else, NaN where it is not known.
///
/// # Errors
/// For exits where the label's threshold is no rise.
pub(super) fn truth(label: &Label, side: RuleSide) -> Result<Vec<f32>, Undefined> {
    let threshold_pct = label.key.threshold_pct;
    match side {
        RuleSide::Entry => Ok(label.value.clone()),
        RuleSide::Exit if threshold_pct <= 0.0 => Err(Undefined::because(format!(
            "exit rules are judged by the mirror of the label, and of {threshold_pct} % it is no fall"
        ))),
        RuleSide::Exit => {
            let fell = |&change: &f64| if change.is_nan() { f32::NAN } else { f32::from(change <= -threshold_pct) };
            Ok(label.forward_return_pct.iter().map(fell).collect())
        }
    }
}
