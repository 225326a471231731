//! The estimated time to completion (ETA) of a job, from the measured seconds per unit of work.
//!
//! In: the [`WorkUpdate`](oculus_pipeline::work::WorkUpdate)s of a job with their times, and the
//! [`SpeedHistory`] of this machine. Out: percentage and remaining seconds. Invariant: nothing here
//! can make a job fail.

mod estimator;
mod history;
mod job_shape;
mod step_timer;
#[cfg(test)]
mod tests;

pub(crate) use self::estimator::Estimator;
pub(crate) use self::history::SpeedHistory;
pub(crate) use self::job_shape::JobShape;

/// Returns a time or a percentage rounded to tenths.
pub(crate) fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}
