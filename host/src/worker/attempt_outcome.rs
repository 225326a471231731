//! The possible outcomes of an attempt, and the claim outcome that follows from each.

use std::time::Duration;

use oculus_job::code::ErrorCode;
use oculus_job::error::{JobError, JobErrorKind};
use oculus_job::progress::{Event, Phase, Status};
use oculus_job::request;
use oculus_job::result::FailedResult;
use oculus_system::child::ExitCause;
use serde::Deserialize;
use serde_json::Value;

use super::child::Death;
use super::claim_outcome::{ClaimOutcome, DeadLetter, LedgerEntry, ResultMessage};
use super::entry::EntryError;
use super::intake::AdmittedJob;
use super::progress::EventStamper;
use super::status::Counters;

/// The outcome of an attempt.
#[derive(Debug)]
pub(super) enum AttemptOutcome {
    /// The job process has sent a result.
    Reported {
        /// The kind of failure; `None` for a success.
        failure: Option<JobErrorKind>,
        /// The result object.
        result: Value,
        /// The entry of the ledger of submissions; `None` for a failure.
        submission: Option<LedgerEntry>,
    },
    /// The worker has stopped the attempt: it timed out, was cancelled, or could not be set up.
    Stopped(JobError),
    /// The job process died without a result.
    Died(Death),
    /// The worker no longer holds the claim. Nothing may be published.
    Lost,
    /// The worker shuts down. The entry is requeued.
    Released,
    /// This machine cannot start a process. This is not the job's fault. The entry is requeued.
    NotStarted {
        /// The pause before the next attempt.
        retry_after: Duration,
    },
}

impl AttemptOutcome {
    /// Returns the outcome of the claim, or `None` if the claim is lost.
    ///
    /// * `phase`: the last phase that the job reported.
    pub(super) fn into_claim_outcome(
        self,
        job: &AdmittedJob,
        stamper: &mut EventStamper,
        phase: Phase,
    ) -> Option<ClaimOutcome> {
        match self {
            Self::Lost => None,
            Self::Released | Self::NotStarted { .. } => Some(ClaimOutcome::Release),
            Self::Reported { failure: None, result, submission } => {
                let event = stamper.last(Phase::Complete, Status::Completed, "done").to_json();
                let message = ResultMessage { result: result.to_string(), event };
                Some(ClaimOutcome::Result { message, succeeded: Some(job.payload_sha256.clone()), submission })
            }
            Self::Reported { failure: Some(kind), result, .. } => {
                // The result states the phase in which the job failed. It may be a later phase than
                // the last reported one.
                let (phase, message) = match FailedResult::deserialize(&result) {
                    Ok(failed) => (failed.phase, failed.error.message),
                    Err(_) => (phase, "failed".to_owned()),
                };
                let event = stamper.last(phase, final_status(kind), &message).to_json();
                let message = ResultMessage { result: result.to_string(), event };
                Some(ClaimOutcome::Result { message, succeeded: None, submission: None })
            }
            Self::Stopped(failure) => {
                let event = stamper.last(failure.phase, final_status(failure.kind), &failure.message).to_json();
                let message = ResultMessage { result: failed_result(&failure, job), event };
                Some(ClaimOutcome::Result { message, succeeded: None, submission: None })
            }
            Self::Died(death) => Some(crash_outcome(death, job, stamper, phase)),
        }
    }

    /// Returns the name of the outcome in the log.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Reported { failure: None, .. } => "succeeded",
            Self::Reported { failure: Some(JobErrorKind::Refused), .. } => "refused",
            Self::Reported { failure: Some(JobErrorKind::Cancelled), .. } => "cancelled",
            Self::Stopped(failure) if failure.kind == JobErrorKind::Cancelled => "cancelled",
            Self::Reported { .. } | Self::Stopped(_) => "failed",
            Self::Died(_) => "crashed",
            Self::Lost => "abandoned: its lease was lost",
            Self::Released | Self::NotStarted { .. } => "requeued",
        }
    }

    /// Returns the cause of a failure for the log, or `None` if the attempt did not fail.
    pub(super) fn failure(&self) -> Option<FailureLog> {
        match self {
            Self::Reported { failure: Some(_), result, .. } => Some(FailureLog::from_result(result)),
            Self::Stopped(failure) => Some(FailureLog::from(failure)),
            Self::Died(death) => Some(FailureLog::from_death(death)),
            Self::Reported { .. } | Self::Lost | Self::Released | Self::NotStarted { .. } => None,
        }
    }

    /// Returns the pause before this worker takes the next job into the same slot.
    pub(super) fn pause(&self) -> Duration {
        match self {
            Self::NotStarted { retry_after } => *retry_after,
            _ => Duration::ZERO,
        }
    }

    /// Adds the outcome to the counters of the heartbeat.
    pub(super) fn count(&self, counters: &mut Counters) {
        match self {
            Self::Reported { failure: None, .. } => counters.done += 1,
            Self::Reported { .. } | Self::Stopped(_) => counters.failed += 1,
            Self::Died(_) => counters.crashed += 1,
            Self::Lost => counters.fenced += 1,
            Self::Released | Self::NotStarted { .. } => {}
        }
    }
}

/// The cause of a failed attempt, as the worker logs it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct FailureLog {
    /// The error code.
    pub code: String,
    /// The phase in which the job failed; `None` for the last reported one.
    pub phase: Option<Phase>,
    /// The cause, as a sentence.
    pub message: String,
    /// The signal that killed the job process, if one did.
    pub signal: Option<i32>,
    /// The exit code of the job process, if it exited without a result.
    pub exit_code: Option<i32>,
}

impl FailureLog {
    /// Reads the cause from the result of a job.
    fn from_result(result: &Value) -> Self {
        match FailedResult::deserialize(result) {
            Ok(failed) => Self {
                code: failed.error.code.to_string(),
                phase: Some(failed.phase),
                message: failed.error.message,
                ..Self::default()
            },
            Err(error) => Self { message: format!("the result cannot be read: {error}"), ..Self::default() },
        }
    }

    fn from_death(death: &Death) -> Self {
        Self {
            code: ErrorCode::JobCrashed.to_string(),
            message: format!("the job process {}", cause_of(death)),
            signal: death.cause.and_then(ExitCause::signal),
            exit_code: death.cause.and_then(ExitCause::code),
            ..Self::default()
        }
    }
}

impl From<&JobError> for FailureLog {
    fn from(failure: &JobError) -> Self {
        Self {
            code: failure.code.to_string(),
            phase: Some(failure.phase),
            message: failure.message.clone(),
            ..Self::default()
        }
    }
}

/// Returns the outcome of an entry that cannot become a job. It is a dead letter, with a failed
/// result if the entry has an id.
pub(super) fn refusal_outcome(refusal: &EntryError) -> ClaimOutcome {
    let failure = &refusal.failure;
    let id = refusal.id.as_deref().unwrap_or_default();
    let event = Event::now(id, failure.phase, Status::Failed).with_message(&failure.message).to_json();
    let result = FailedResult::new(failure, id, None).to_json().to_string();
    ClaimOutcome::Dead { letter: DeadLetter::from(failure), message: ResultMessage { result, event } }
}

/// Returns the outcome of an attempt whose job process died.
fn crash_outcome(death: Death, job: &AdmittedJob, stamper: &mut EventStamper, phase: Phase) -> ClaimOutcome {
    // `crashes` is the count at the start of the attempt, so it does not include this crash.
    let failure = crash_failure(&death, job.crashes + 1, phase);
    let message = format!("{}; the job is requeued", failure.message);
    let requeued = stamper.last(Phase::Queued, Status::InProgress, &message).to_json();
    let event = stamper.last(phase, Status::Failed, &failure.message).to_json();
    let letter = DeadLetter {
        exit_code: death.cause.and_then(ExitCause::code),
        signal: death.cause.and_then(ExitCause::signal),
        last_lines: death.last_lines.join("\n"),
        ..DeadLetter::from(&failure)
    };
    ClaimOutcome::Crash { requeued, letter, message: ResultMessage { result: failed_result(&failure, job), event } }
}

/// Returns the status of the final event of a failure.
fn final_status(kind: JobErrorKind) -> Status {
    match kind {
        JobErrorKind::Cancelled => Status::Cancelled,
        JobErrorKind::Refused | JobErrorKind::Failed => Status::Failed,
    }
}

/// Returns the result of a job whose process sent none. The payload is parsed to get the design of
/// the job, which is part of every result.
fn failed_result(failure: &JobError, job: &AdmittedJob) -> String {
    let design_config = request::Job::parse(&job.payload).ok().map(|job| job.design_config());
    FailedResult::new(failure, &job.build_id, design_config).to_json().to_string()
}

/// The number of lines that a result quotes from the end of a crashed process's output. The log and
/// the dead letter contain more lines.
const SHOWN_LINES: usize = 5;

/// Returns the failure of a job whose process has died `times` times.
fn crash_failure(death: &Death, times: u32, phase: Phase) -> JobError {
    let cause = cause_of(death);
    let shown = &death.last_lines[death.last_lines.len().saturating_sub(SHOWN_LINES)..];
    let output = if shown.is_empty() {
        "it printed no output".to_owned()
    } else {
        format!("last output: {}", shown.join(" | "))
    };
    let message = format!("the job process {cause} (crash {times} of this job); {output}");
    let hint = "read the worker's log of this job; signal 9 often means that the machine ran out of memory";
    JobError::failed(phase, ErrorCode::JobCrashed, message, hint)
}

/// Returns how a job process died, as the end of a sentence.
fn cause_of(death: &Death) -> String {
    match death.cause {
        Some(cause @ ExitCause::Signal(_)) => format!("was killed by {cause}"),
        Some(ExitCause::Code(code)) => format!("exited with code {code} without a result"),
        None => "died for an unknown reason".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_crash_reports_the_signal_the_count_and_the_last_lines() {
        let death = Death { cause: Some(ExitCause::Signal(11)), last_lines: vec!["one".to_owned(), "two".to_owned()] };
        let job = AdmittedJob {
            id: "j".into(),
            build_id: "b".into(),
            payload: "{}".into(),
            payload_sha256: String::new(),
            payload_key: None,
            attempt: 1,
            crashes: 2,
            queue_length: 0,
        };
        let outcome = AttemptOutcome::Died(death)
            .into_claim_outcome(&job, &mut EventStamper::new("j", Instant::now()), Phase::Training)
            .unwrap();
        let ClaimOutcome::Crash { letter, message, .. } = outcome else { panic!("{outcome:?}") };
        assert_eq!((letter.signal, letter.last_lines.as_str()), (Some(11), "one\ntwo"));
        let result: FailedResult = serde_json::from_str(&message.result).unwrap();
        assert_eq!((result.build_id.as_str(), result.phase), ("b", Phase::Training));
        let message = result.error.message;
        assert!(message.contains("signal 11 (SIGSEGV) (crash 3 of this job)"), "{message}");
        assert!(message.ends_with("one | two"), "{message}");
    }
}
