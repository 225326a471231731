//! Every way in which an attempt can end, and the claim outcome that follows from it.

use std::time::Duration;

use oculus_job::code::ErrorCode;
use oculus_job::failure::{Failure, Kind};
use oculus_job::progress::{Event, Phase, Status};
use oculus_job::request;
use oculus_job::result::FailedResult;
use oculus_system::child::ExitCause;
use serde::Deserialize;
use serde_json::Value;

use super::child::Death;
use super::claim_outcome::{ClaimOutcome, DeadLetter, ResultMessage};
use super::entry::Refusal;
use super::intake::AdmittedJob;
use super::progress::EventStamper;
use super::status::Counters;

/// How an attempt ended.
#[derive(Debug)]
pub(super) enum AttemptOutcome {
    /// The job process has returned a result.
    Answered {
        /// The kind of failure; `None` for a success.
        failure: Option<Kind>,
        /// The result object.
        result: Value,
    },
    /// The worker has stopped the attempt: it timed out, was cancelled, or could not be set up.
    Stopped(Failure),
    /// The job's process died without a result.
    Died(Death),
    /// The worker no longer holds the claim: nothing may be published.
    Lost,
    /// The worker shuts down: the entry returns to the queue.
    Released,
    /// This machine cannot start a process, which is not the job's fault: the entry returns to the
    /// queue.
    NotStarted {
        /// How long to wait before the next attempt.
        retry_after: Duration,
    },
}

impl AttemptOutcome {
    /// Returns the outcome of the claim; `None` if the claim is lost. `phase` is the last that the
    /// job reported.
    pub(super) fn into_claim_outcome(
        self,
        job: &AdmittedJob,
        stamper: &mut EventStamper,
        phase: Phase,
    ) -> Option<ClaimOutcome> {
        match self {
            Self::Lost => None,
            Self::Released | Self::NotStarted { .. } => Some(ClaimOutcome::Release),
            Self::Answered { failure: None, result } => {
                let event = stamper.last(Phase::Complete, Status::Completed, "done").to_json();
                let answer = ResultMessage { result: result.to_string(), event };
                Some(ClaimOutcome::Result { answer, succeeded: Some(job.payload_sha256.clone()) })
            }
            Self::Answered { failure: Some(kind), result } => {
                let (phase, message) = match FailedResult::deserialize(&result) {
                    Ok(failed) => (failed.phase, failed.error.message),
                    Err(_) => (phase, "failed".to_owned()),
                };
                let event = stamper.last(phase, status_of(kind), &message).to_json();
                let answer = ResultMessage { result: result.to_string(), event };
                Some(ClaimOutcome::Result { answer, succeeded: None })
            }
            Self::Stopped(failure) => {
                let event = stamper.last(failure.phase, status_of(failure.kind), &failure.message).to_json();
                let answer = ResultMessage { result: failed_result(&failure, job), event };
                Some(ClaimOutcome::Result { answer, succeeded: None })
            }
            Self::Died(death) => Some(crash_outcome(death, job, stamper, phase)),
        }
    }

    /// Returns the name of the outcome in the log.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Answered { failure: None, .. } => "done",
            Self::Answered { failure: Some(Kind::Refused), .. } => "refused",
            Self::Answered { .. } | Self::Stopped(_) => "failed",
            Self::Died(_) => "crashed",
            Self::Lost => "lost to another worker",
            Self::Released | Self::NotStarted { .. } => "requeued",
        }
    }

    /// Returns how long this worker waits before it takes the next job.
    pub(super) fn pause(&self) -> Duration {
        match self {
            Self::NotStarted { retry_after } => *retry_after,
            _ => Duration::ZERO,
        }
    }

    /// Adds the outcome to the counters of the heartbeat.
    pub(super) fn count(&self, counters: &mut Counters) {
        match self {
            Self::Answered { failure: None, .. } => counters.done += 1,
            Self::Answered { .. } | Self::Stopped(_) => counters.failed += 1,
            Self::Died(_) => counters.crashed += 1,
            Self::Lost => counters.fenced += 1,
            Self::Released | Self::NotStarted { .. } => {}
        }
    }
}

/// Returns the outcome of an entry that cannot become a job: a dead letter, with a failed result if
/// it has an id.
pub(super) fn refused(refusal: &Refusal) -> ClaimOutcome {
    let failure = &refusal.failure;
    let id = refusal.id.as_deref().unwrap_or_default();
    let event = Event::now(id, failure.phase, Status::Failed).with_message(&failure.message).to_json();
    let result = FailedResult::new(failure, id, Value::Null).to_json().to_string();
    ClaimOutcome::Dead { letter: DeadLetter::from(failure), answer: ResultMessage { result, event } }
}

fn crash_outcome(death: Death, job: &AdmittedJob, stamper: &mut EventStamper, phase: Phase) -> ClaimOutcome {
    let failure = crashed(&death, job.crashes + 1, phase);
    let message = format!("{}; the job is tried again", failure.message);
    let requeued = stamper.last(Phase::Queued, Status::InProgress, &message).to_json();
    let event = stamper.last(phase, Status::Failed, &failure.message).to_json();
    let letter = DeadLetter {
        exit_code: death.cause.and_then(ExitCause::code),
        signal: death.cause.and_then(ExitCause::signal),
        last_lines: death.last_lines.join("\n"),
        ..DeadLetter::from(&failure)
    };
    ClaimOutcome::Crash { requeued, letter, answer: ResultMessage { result: failed_result(&failure, job), event } }
}

fn status_of(kind: Kind) -> Status {
    match kind {
        Kind::Cancelled => Status::Cancelled,
        Kind::Refused | Kind::Failed => Status::Failed,
    }
}

/// Returns the result of a job whose process reported none. The payload is parsed here for what the
/// result echoes of it.
fn failed_result(failure: &Failure, job: &AdmittedJob) -> String {
    let design_config = request::Job::parse(&job.payload).map_or(Value::Null, |job| job.design_config());
    FailedResult::new(failure, &job.build_id, design_config).to_json().to_string()
}

/// Last lines of a crashed process that its result quotes; the log and the dead letter have more.
const SHOWN_LINES: usize = 5;

fn crashed(death: &Death, times: u32, phase: Phase) -> Failure {
    let how = match death.cause {
        Some(cause @ ExitCause::Signal(_)) => format!("was killed by {cause}"),
        Some(ExitCause::Code(code)) => format!("exited with code {code} without a result"),
        None => "could not be started".to_owned(),
    };
    let shown = &death.last_lines[death.last_lines.len().saturating_sub(SHOWN_LINES)..];
    let output = if shown.is_empty() {
        "it printed nothing".to_owned()
    } else {
        format!("its last lines: {}", shown.join(" | "))
    };
    let message = format!("the job's process {how} ({times} so far); {output}");
    let hint = "look at the worker's log for this job; a signal 9 often means that memory ran out";
    Failure::failed(phase, ErrorCode::JobCrashed, message, hint)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_crash_names_signal_count_and_last_lines() {
        let death = Death { cause: Some(ExitCause::Signal(11)), last_lines: vec!["one".to_owned(), "two".to_owned()] };
        let job = AdmittedJob {
            id: "j".into(),
            build_id: "b".into(),
            payload: "{}".into(),
            payload_sha256: String::new(),
            attempt: 1,
            crashes: 2,
        };
        let outcome = AttemptOutcome::Died(death)
            .into_claim_outcome(&job, &mut EventStamper::new("j", Instant::now()), Phase::Training)
            .unwrap();
        let ClaimOutcome::Crash { letter, answer, .. } = outcome else { panic!("{outcome:?}") };
        assert_eq!((letter.signal, letter.last_lines.as_str()), (Some(11), "one\ntwo"));
        let result: FailedResult = serde_json::from_str(&answer.result).unwrap();
        assert_eq!((result.build_id.as_str(), result.phase), ("b", Phase::Training));
        let message = result.error.message;
        assert!(message.contains("signal 11 (SIGSEGV) (3 so far)") && message.contains("one | two"), "{message}");
    }
}
