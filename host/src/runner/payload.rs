//! Parses the job of a payload, sets a missing id, and reports all problems together.

use oculus_job::error::JobError;
use oculus_job::request::{Job, parse_payload};
use oculus_plugin_host::selection;
use serde_json::{Value, json};

use super::spec::JobSpec;

/// The fields that can contain the id of a job.
const ID_FIELDS: [&str; 2] = ["job_id", "build_id"];

/// Parses and checks the job of a payload. If the payload has no id, the id in `spec` is used.
///
/// # Errors
/// Returns one failure with all problems of the job's fields and of the families' parameters.
pub(super) fn read_job(spec: &JobSpec) -> Result<Job, JobError> {
    let mut payload = parse_payload(&spec.payload)?;
    set_missing_id(&mut payload, &spec.build_id);
    Job::from_value(&payload).map_err(|failure| with_family_problems(failure, payload, spec))
}

/// Removes blank ids, and adds `build_id` if no id is left. Does not change a payload that is not
/// an object.
fn set_missing_id(payload: &mut Value, build_id: &str) {
    let Value::Object(fields) = payload else { return };
    let is_blank = |value: &Value| value.is_null() || value.as_str().is_some_and(|id| id.trim().is_empty());
    fields.retain(|name, value| !ID_FIELDS.contains(&name.as_str()) || !is_blank(value));
    if !ID_FIELDS.iter().any(|id| fields.contains_key(*id)) {
        fields.insert("build_id".to_owned(), build_id.into());
    }
}

/// Adds the problems of the families' parameters to the failure of the job's fields. The user can
/// then correct all problems after one attempt.
fn with_family_problems(failure: JobError, payload: Value, spec: &JobSpec) -> JobError {
    match family_problems(payload, spec) {
        Some(other) => JobError { message: format!("{}; {}", failure.message, other.message), ..failure },
        None => failure,
    }
}

/// Returns the problems of the families' parameters, or `None` if they are valid or cannot be
/// checked.
fn family_problems(mut payload: Value, spec: &JobSpec) -> Option<JobError> {
    let config = payload.pointer_mut("/design/ml_training_config")?.as_object_mut()?;
    // `cv_folds` and `seed` may be invalid, so they are removed. The other fields select the
    // families and set their parameters.
    config.retain(|name, _| !["cv_folds", "seed"].contains(&name.as_str()));
    // The plugins can check only a valid job, so all other parts of the job are replaced by valid
    // ones.
    let job = json!({ "build_id": "job", "symbols": ["A"], "design": { "ml_training_config": config } });
    selection::select(&Job::from_value(&job).ok()?, &spec.plugins, &spec.refused).err()
}

#[cfg(test)]
mod tests {
    use oculus_job::submission::SubmissionHistory;
    use oculus_market_data::SourceConfig;
    use oculus_plugin_host::limits::Limits;

    use super::*;
    use crate::artifacts::ArtifactsLocation;
    use crate::runner::spec::JobResources;

    fn ids(payload: Value) -> (String, String) {
        let resources = JobResources {
            bars: SourceConfig::Folder("/".into()),
            parallel_fits: 1,
            jobs_at_once: 1,
            gpu_enabled: false,
            gpu_lock: "/".into(),
            limits: Limits { memory_bytes: u64::MAX, silence: std::time::Duration::MAX },
            speeds: "/".into(),
            worker: "w".into(),
        };
        let spec = JobSpec {
            job_id: "known".to_owned(),
            build_id: "known".to_owned(),
            payload: payload.to_string(),
            plugins: vec![],
            refused: vec![],
            resources,
            artifacts: ArtifactsLocation { dir: "/".into(), token: "1".to_owned() },
            history: SubmissionHistory::Known(vec![]),
        };
        let job = read_job(&spec).unwrap();
        (job.id, job.build_id)
    }

    #[test]
    fn a_payload_without_an_id_gets_the_id_of_its_key() {
        let pair = |id: &str, build_id: &str| (id.to_owned(), build_id.to_owned());
        assert_eq!(ids(json!({"symbols": ["A"]})), pair("known", "known"));
        assert_eq!(ids(json!({"symbols": ["A"], "job_id": null})), pair("known", "known"));
        assert_eq!(ids(json!({"symbols": ["A"], "job_id": "", "build_id": "b"})), pair("b", "b"));
        assert_eq!(ids(json!({"symbols": ["A"], "job_id": "j", "build_id": "b"})), pair("j", "b"));
    }
}
