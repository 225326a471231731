//! Turns the progress of a job process into the events that the backend receives.
//!
//! In: [`Progress`](oculus_job::progress::Progress) as the job reports it. Out: events on the job's
//! progress channel, at most five per second in addition to the first and the last of each phase.
//! Invariant: `percent` never decreases within an attempt.

mod event;
mod pace;
mod publish;

pub(super) use event::EventStamper;
pub(super) use pace::EventPacer;
pub(super) use publish::ProgressPublisher;
