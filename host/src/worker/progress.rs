//! From a job process's progress to the events that the backend receives: stamped, paced,
//! published.
//!
//! In: [`Progress`](oculus_job::progress::Progress) as the job reports it. Out: events on the job's
//! channel, at most five per second except for the first and the last of each phase.
//! Invariant: `percent` never decreases within an attempt.

mod estimate;
mod event;
mod pace;
mod publish;

pub(super) use event::EventStamper;
pub(super) use pace::EventPacer;
pub(super) use publish::ProgressPublisher;
