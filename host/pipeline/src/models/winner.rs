//! The choice of the winner by validation rows.

use super::candidate::{Evaluated, GainOverLead};

/// Chooses among the families for which `is_available` holds; `None` if there is none.
///
/// The lead wins unless another family beats it by more than one standard error. Of several that
/// do, and where the lead is not available, the family of the largest gain wins.
///
/// * `evaluated`: the lead first.
pub(super) fn choose_winner(evaluated: &[Evaluated<'_>], is_available: impl Fn(usize) -> bool) -> Option<usize> {
    let has_lead = is_available(0);
    let gain = |idx: usize| match &evaluated[idx].gain {
        GainOverLead::IsLead => None,
        GainOverLead::Gain(gain) => (!has_lead || gain.is_clear()).then_some(gain.value),
        GainOverLead::Undefined(_) => (!has_lead).then_some(f64::NEG_INFINITY),
    };
    let rivals = (1..evaluated.len()).filter(|&idx| is_available(idx)).filter_map(|idx| Some((idx, gain(idx)?)));
    let best = rivals.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(idx, _)| idx);
    best.or(has_lead.then_some(0))
}
