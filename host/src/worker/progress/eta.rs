//! The estimated time to completion (ETA) of an attempt.

/// The lowest percentage from which the elapsed time is extrapolated. Below it, the estimate would
/// be noise.
const MIN_PERCENT: f64 = 1.0;

/// Returns the estimated seconds until the attempt completes, or `None` below 1 %. The result is
/// the larger of two estimates: the extrapolation of the elapsed time, and the estimate of the
/// family that is being fitted.
///
/// * `percent`: the progress of the attempt, 0 to 100.
/// * `family_eta_s`: the estimate that the family derives from its epochs or rounds.
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
    fn the_elapsed_time_is_extrapolated_from_one_percent() {
        assert_eq!(eta_s(0.9, 10.0, None), None);
        assert_eq!(eta_s(1.0, 1.0, None), Some(99.0));
        assert_eq!(eta_s(25.0, 10.0, None), Some(30.0));
        assert_eq!(eta_s(100.0, 10.0, None), Some(0.0));
    }

    #[test]
    fn a_longer_estimate_of_the_family_replaces_the_extrapolation() {
        assert_eq!(eta_s(25.0, 10.0, Some(31.0)), Some(31.0));
        assert_eq!(eta_s(25.0, 10.0, Some(29.0)), Some(30.0));
    }
}
