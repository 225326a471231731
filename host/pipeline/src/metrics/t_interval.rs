//! Intervals of a statistic from its standard error over few blocks of dates.
//!
//! In: a value, the standard deviation of its bootstrap draws, and the number of blocks. Out: a
//! 95 % interval. A percentile interval of the same draws is too narrow if there are few blocks: it
//! estimates the standard error from few independent pieces, and ignores that the estimate is
//! uncertain. Student's t quantile accounts for that, and `√(n / (n − 1))` for the deviation of the
//! draws, which is too small by this factor for the mean of `n` blocks.

use super::{
    bootstrap::Interval,
    figure::{Finite, UndefinedError},
    student_t::t_quantile,
};

/// Smallest number of blocks with an interval: with fewer, the t quantile exceeds 4.
const MIN_BLOCKS: f64 = 4.0;

/// Computes the interval `value ± t(0.975, n − 1) · √(n / (n − 1)) · standard_error` of `n` blocks.
///
/// # Errors
/// Returns the reason if there are fewer than four blocks, if the standard error is 0, or if an end
/// is not finite.
pub fn t_interval(value: f64, standard_error: f64, n_blocks: f64) -> Result<Interval, UndefinedError> {
    let half_width = half_width(standard_error, n_blocks)?;
    ends(value - half_width, value + half_width)
}

/// Computes the interval of a share on the logit scale, so that its ends are between 0 and 1:
/// `logit⁻¹(logit s ± t(0.975, n − 1) · √(n / (n − 1)) · standard_error / (s · (1 − s)))`.
///
/// # Errors
/// Returns the reason if there are fewer than four blocks, if the standard error is 0, or if the
/// share is 0 or 1.
pub fn logit_t_interval(share: f64, standard_error: f64, n_blocks: f64) -> Result<Interval, UndefinedError> {
    let slope = share * (1.0 - share);
    if slope <= 0.0 {
        return Err(UndefinedError::because(format!("a value of {share} has no interval on the logit scale")));
    }
    let half_width = half_width(standard_error, n_blocks)? / slope;
    let logit = (share / (1.0 - share)).ln();
    let inverse = |logit: f64| 1.0 / (1.0 + (-logit).exp());
    ends(inverse(logit - half_width), inverse(logit + half_width))
}

fn half_width(standard_error: f64, n_blocks: f64) -> Result<f64, UndefinedError> {
    if n_blocks < MIN_BLOCKS {
        return Err(UndefinedError::because(format!(
            "found {n_blocks:.1} blocks of dates, expected at least {MIN_BLOCKS} for an interval"
        )));
    }
    // An interval of width 0 would claim certainty.
    if standard_error == 0.0 {
        return Err(UndefinedError::because("the resamples do not vary, so an interval would have no width"));
    }
    Ok(t_quantile(0.975, n_blocks - 1.0) * (n_blocks / (n_blocks - 1.0)).sqrt() * standard_error)
}

fn ends(low: f64, high: f64) -> Result<Interval, UndefinedError> {
    let ends = Finite::new(low).zip(Finite::new(high));
    ends.map(|(low, high)| Interval(low, high)).ok_or_else(|| UndefinedError::because("the interval is not finite"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(interval: Interval) -> (f64, f64) {
        (interval.0.get(), interval.1.get())
    }

    #[test]
    fn an_interval_of_five_blocks_has_the_quantile_of_four_degrees_of_freedom() {
        // t(0.975, 4) = 2.776445 in any table of Student's t.
        let half = 2.776_445_105_2 * (5.0_f64 / 4.0).sqrt() * 0.1;
        let (low, high) = pair(t_interval(0.3, 0.1, 5.0).unwrap());
        assert!((low - (0.3 - half)).abs() < 1e-9 && (high - (0.3 + half)).abs() < 1e-9, "{low}, {high}");
    }

    #[test]
    fn the_interval_of_a_share_stays_between_0_and_1_and_is_symmetric_about_a_half() {
        let (low, high) = pair(logit_t_interval(0.98, 0.2, 5.0).unwrap());
        assert!(0.0 < low && low < 0.98 && 0.98 < high && high < 1.0, "{low}, {high}");
        let (low, high) = pair(logit_t_interval(0.5, 0.05, 10.0).unwrap());
        assert!((low + high - 1.0).abs() < 1e-12, "{low}, {high}");
    }

    #[test]
    fn few_blocks_equal_resamples_and_a_share_of_0_or_1_have_no_interval() {
        assert!(t_interval(0.3, 0.1, 3.9).unwrap_err().to_string().contains("found 3.9 blocks"));
        assert!(t_interval(0.3, 0.0, 9.0).unwrap_err().to_string().contains("do not vary"));
        assert!(logit_t_interval(1.0, 0.1, 9.0).is_err() && logit_t_interval(0.0, 0.1, 9.0).is_err());
    }
}
