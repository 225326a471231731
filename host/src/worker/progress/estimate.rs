//! The estimated time to completion (ETA) of an attempt.

/// The lowest percentage from which the elapsed time is extrapolated; below it the estimate would
/// be noise.
const MIN_PERCENT: f64 = 1.0;

/// Returns the estimated seconds until the attempt completes, or `None` below 1 %: the elapsed time
/// extrapolated to 100 %, or the estimate of the family under way if that is longer.
///
/// * `family_eta_s`: the family's own estimate, from its epochs or rounds.
pub(super) fn eta_s(percent: f64, elapsed_s: f64, family_eta_s: Option<f64>) -> Option<f64> {
    if percent < MIN_PERCENT {
        return None;
    }
    let extrapolated = elapsed_s * (100.0 / percent - 1.0);
    Some(family_eta_s.unwrap_or(0.0).max(extrapolated))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_elapsed_time_is_extrapolated_from_one_percent_on() {
        assert_eq!(eta_s(0.9, 10.0, None), None);
        assert_eq!(eta_s(1.0, 1.0, None), Some(99.0));
        assert_eq!(eta_s(25.0, 10.0, None), Some(30.0));
        assert_eq!(eta_s(100.0, 10.0, None), Some(0.0));
    }

    #[test]
    fn a_longer_estimate_of_the_family_wins() {
        assert_eq!(eta_s(25.0, 10.0, Some(31.0)), Some(31.0));
        assert_eq!(eta_s(25.0, 10.0, Some(29.0)), Some(30.0));
    }
}
