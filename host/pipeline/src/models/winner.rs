//! The choice of the winner, by gains on validation rows.

use super::candidate::{Evaluated, GainOverLead};

/// Chooses the winner among the families for which `is_available` returns true; `None` if there is
/// none.
///
/// The lead wins unless another family beats it by more than one standard error. If there are
/// several such families, or if the lead is not available, the family with the largest gain wins.
///
/// The baseline cannot win.
///
/// * `evaluated`: all evaluated families and the ensemble, the lead first.
pub(super) fn choose_winner(evaluated: &[Evaluated<'_>], is_available: impl Fn(usize) -> bool) -> Option<usize> {
    let is_available = |idx: usize| is_available(idx) && !evaluated[idx].is_baseline;
    let has_lead = is_available(0);
    let gain = |idx: usize| match &evaluated[idx].gain {
        GainOverLead::IsLead => None,
        GainOverLead::Gain(gain) => (!has_lead || gain.is_clear()).then_some(gain.value),
        GainOverLead::Undefined(_) => (!has_lead).then_some(f64::NEG_INFINITY),
    };
    let rivals = (1..evaluated.len()).filter(|&idx| is_available(idx)).filter_map(|idx| Some((idx, gain(idx)?)));
    // The comparison is strict, so the first of equal gains wins and the choice is deterministic.
    let best = rivals.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(idx, _)| idx);
    best.or(has_lead.then_some(0))
}
