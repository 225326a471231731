//! The jobs that a run pushes.
//!
//! A payload contains a version, and so does its result: trainings state it in `design_config`,
//! refusals in their message. The checker therefore knows which payload a result is for.

use std::fmt;

use oculus_tests::jobs;
use serde_json::{Value, json};

use crate::random::Random;

/// The number of a job, which is part of its id.
pub(crate) type JobNumber = u32;

/// The kind of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JobKind {
    /// An invalid field: the job ends at once.
    Refused,
    /// Two trials of LightGBM: the job ends within seconds.
    Short,
    /// LightGBM with 20 trials.
    LightGbm,
    /// LightGBM and the MLP.
    Mlp,
    /// LightGBM and the LSTM.
    Lstm,
}

impl JobKind {
    /// Draws a kind.
    ///
    /// * `trainings`: the number of jobs per 1000 that are not refused.
    pub(crate) fn draw(random: &mut Random, trainings: u32) -> Self {
        if !random.per_mille(trainings) {
            return Self::Refused;
        }
        match random.below(10) {
            0..6 => Self::Short,
            6..8 => Self::LightGbm,
            8 => Self::Mlp,
            _ => Self::Lstm,
        }
    }
}

/// Returns the id of a job.
pub(crate) fn id_of(job: JobNumber) -> String {
    format!("chaos-{job}")
}

/// Returns the number of a job from its id or entry.
pub(crate) fn number_of(id: &[u8]) -> Option<JobNumber> {
    std::str::from_utf8(id).ok()?.strip_prefix("chaos-")?.parse().ok()
}

/// Returns the payload of a version of a job.
pub(crate) fn payload(job: JobNumber, kind: JobKind, version: u32) -> String {
    let id = id_of(job);
    let stamp = format!("version-{version}");
    if kind == JobKind::Refused {
        return json!({ "build_id": id, "symbols": ["AAPL"], "timeframe": stamp, "design": {} }).to_string();
    }
    let mut payload = match kind {
        JobKind::Refused | JobKind::Short => jobs::with_search_family("LightGBM", &id),
        JobKind::LightGbm => with_trials(jobs::slow_job(&id), 20),
        JobKind::Mlp => with_network(jobs::with_search_family("LightGBM", &id), "train_neural_networks", "nn_epochs"),
        JobKind::Lstm => with_network(jobs::with_search_family("LightGBM", &id), "train_lstm", "lstm_epochs"),
    };
    payload["design"]["strategy_type"] = json!(stamp);
    payload.to_string()
}

fn with_trials(mut job: Value, n: u32) -> Value {
    job["design"]["recommended_n_iter_search"] = json!(n);
    job
}

fn with_network(mut job: Value, switch: &str, epochs: &str) -> Value {
    let config = &mut job["design"]["ml_training_config"];
    config[switch] = json!(true);
    config[epochs] = json!(5);
    job
}

/// The parts of a result that the checker reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResultSummary {
    /// The version of the payload; `None` if the result does not state it.
    pub(crate) version: Option<u32>,
    /// `success`, `failed` or `cancelled`.
    pub(crate) status: String,
    /// The error code, or an empty text.
    pub(crate) code: String,
}

impl ResultSummary {
    /// Reads a result.
    pub(crate) fn read(result: &[u8]) -> Self {
        let result: Value = serde_json::from_slice(result).unwrap_or_default();
        let texts = [&result["design_config"]["strategy_type"], &result["error"]["message"]];
        let version = texts.iter().find_map(|text| version_in(text.as_str()?));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Self { version, status: text(&result["status"]), code: text(&result["error"]["code"]) }
    }
}

impl fmt::Display for ResultSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version {
            Some(version) => write!(f, "version {version}, {} {}", self.status, self.code),
            None => write!(f, "no version, {} {}", self.status, self.code),
        }
    }
}

/// Returns the version that a payload or a text contains.
pub(crate) fn version_in(text: &str) -> Option<u32> {
    let (_, after) = text.split_once("version-")?;
    let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    after[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_payloads_and_from_both_kinds_of_results() {
        assert_eq!(version_in(&payload(1, JobKind::Refused, 12)), Some(12));
        assert_eq!(version_in(&payload(1, JobKind::Lstm, 3)), Some(3));
        let refused =
            r#"{"status":"failed","error":{"code":"invalid_job","message":"timeframe: found \"version-4\""}}"#;
        let expected = ResultSummary { version: Some(4), status: "failed".into(), code: "invalid_job".into() };
        assert_eq!(ResultSummary::read(refused.as_bytes()), expected);
        let trained = r#"{"status":"success","error":null,"design_config":{"strategy_type":"version-5"}}"#;
        assert_eq!(ResultSummary::read(trained.as_bytes()).version, Some(5));
    }

    #[test]
    fn a_job_number_is_read_from_its_id_only() {
        assert_eq!(number_of(id_of(7).as_bytes()), Some(7));
        assert_eq!((number_of(b"chaos-x"), number_of(b"other")), (None, None));
    }
}
