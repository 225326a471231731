//! Every way in which an attempt can end, and what the queue is told of it.

use oculus_job::code::ErrorCode;
use serde_json::Value;

use super::child::Death;
use super::claim_outcome::{ClaimOutcome, DeadLetter, ResultMessage};
use super::entry::Refusal;
use super::heartbeat::Counters;
use super::intake::AdmittedJob;
use super::progress::EventPacer;
use oculus_job::failure::{Failure, Kind};
use oculus_job::progress::{Event, Phase, Status};
use oculus_job::request;
use oculus_system::child::ExitCause;

/// How an attempt ended.
#[derive(Debug)]
pub enum AttemptOutcome {
    /// The job has said its result, good or bad.
    Answered {
        /// `None` for a success.
        failure: Option<Kind>,
        /// The result object.
        result: Value,
    },
    /// The worker says the result in the job's place: it ran too long, somebody asked for its end, or it had no start.
    Stopped(Failure),
    /// The job's process died without a result.
    Died(Death),
    /// The job is in other hands: nothing may be said.
    Lost,
    /// The worker ends; the job goes back.
    Released,
    /// This machine starts no process, which is no fault of the job's; it goes back.
    NotStarted,
}

impl AttemptOutcome {
    /// What the queue is told; `None` when the lease is lost. `pace` stamps the last event.
    pub fn outcome(self, job: &AdmittedJob, pace: &mut EventPacer, phase: Phase) -> Option<ClaimOutcome> {
        let mut last =
            |phase, status, message: &str| pace.last(phase, status, message, std::time::Instant::now()).to_json();
        match self {
            Self::Lost => None,
            Self::Released | Self::NotStarted => Some(ClaimOutcome::Release),
            Self::Answered { failure: None, result } => Some(ClaimOutcome::Result {
                answer: ResultMessage {
                    result: result.to_string(),
                    event: last(Phase::Complete, Status::Completed, "done"),
                },
                succeeded: Some(job.payload_sha256.clone()),
            }),
            Self::Answered { failure: Some(kind), result } => {
                let phase = serde_json::from_value(result["phase"].clone()).unwrap_or(phase);
                let message = result["error"]["message"].as_str().unwrap_or("failed");
                let event = last(phase, status_of(kind), message);
                Some(ClaimOutcome::Result {
                    answer: ResultMessage { result: result.to_string(), event },
                    succeeded: None,
                })
            }
            Self::Stopped(failure) => {
                let event = last(failure.phase, status_of(failure.kind), &failure.message);
                Some(ClaimOutcome::Result {
                    answer: ResultMessage { result: result(&failure, job), event },
                    succeeded: None,
                })
            }
            Self::Died(death) => {
                let failure = crashed(&death, job.crashes + 1, phase);
                let requeued = format!("{}; the job is tried again", failure.message);
                Some(ClaimOutcome::Crash {
                    requeued: last(Phase::Queued, Status::InProgress, &requeued),
                    letter: DeadLetter {
                        exit_code: death.cause.and_then(ExitCause::code),
                        signal: death.cause.and_then(ExitCause::signal),
                        last_lines: death.last_lines.join("\n"),
                        ..DeadLetter::from(&failure)
                    },
                    answer: ResultMessage {
                        result: result(&failure, job),
                        event: last(phase, Status::Failed, &failure.message),
                    },
                })
            }
        }
    }

    /// As the log calls it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Answered { failure: None, .. } => "done",
            Self::Answered { failure: Some(Kind::Refused), .. } => "refused",
            Self::Answered { .. } | Self::Stopped(_) => "failed",
            Self::Died(_) => "crashed",
            Self::Lost => "lost to another worker",
            Self::Released | Self::NotStarted => "given back",
        }
    }

    /// Notes the ending in the counters of the heartbeat.
    pub fn count(&self, counters: &mut Counters) {
        match self {
            Self::Answered { failure: None, .. } => counters.done += 1,
            Self::Answered { .. } | Self::Stopped(_) => counters.failed += 1,
            Self::Died(_) => counters.crashed += 1,
            Self::Lost => counters.fenced += 1,
            Self::Released | Self::NotStarted => {}
        }
    }
}

/// A dead letter of an entry that is no job, with a failed result for whoever can be told.
pub fn refused(refusal: &Refusal) -> ClaimOutcome {
    let failure = &refusal.failure;
    let id = refusal.id.as_deref().unwrap_or_default();
    let event = Event::now(id, failure.phase, Status::Failed).with_message(&failure.message).to_json();
    let letter = DeadLetter::from(failure);
    ClaimOutcome::Dead {
        letter,
        answer: ResultMessage { result: failure.to_result(id, Value::Null).to_string(), event },
    }
}

fn status_of(kind: Kind) -> Status {
    match kind {
        Kind::Cancelled => Status::Cancelled,
        Kind::Refused | Kind::Failed => Status::Failed,
    }
}

fn result(failure: &Failure, job: &AdmittedJob) -> String {
    // Read again for what it asks: the process that knew it has told nothing.
    let design_config = request::Job::parse(&job.payload).map_or(Value::Null, |job| job.design_config());
    failure.to_result(&job.build_id, design_config).to_string()
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
    let said = if shown.is_empty() {
        "it printed nothing".to_owned()
    } else {
        format!("its last lines: {}", shown.join(" | "))
    };
    let message = format!("the job's process {how} ({times} so far); {said}");
    let hint = "look at the worker's log for this job; a signal 9 often means that memory ran out";
    Failure::failed(phase, ErrorCode::JobCrashed, message, hint).retryable()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
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
            .outcome(&job, &mut EventPacer::new("j", Instant::now()), Phase::Training)
            .unwrap();
        let ClaimOutcome::Crash { letter, answer, .. } = outcome else { panic!("{outcome:?}") };
        assert_eq!((letter.signal, letter.last_lines.as_str()), (Some(11), "one\ntwo"));
        let result: Value = serde_json::from_str(&answer.result).unwrap();
        assert_eq!((result["build_id"].as_str(), result["phase"].as_str()), (Some("b"), Some("training")));
        let message = result["error"]["message"].as_str().unwrap();
        assert!(message.contains("signal 11 (SIGSEGV) (3 so far)") && message.contains("one | two"), "{message}");
    }
}
