//! Parses the job of a payload once, gives it an id, and reports every problem at once.

use oculus_job::failure::Failure;
use oculus_job::request::{Job, parse_payload};
use oculus_plugin_host::selection;
use serde_json::{Value, json};

use super::spec::JobSpec;

/// The fields that can hold a job's id.
const ID_FIELDS: [&str; 2] = ["job_id", "build_id"];

/// Parses and checks the job of a payload. A payload without an id gets the one of `spec`.
///
/// # Errors
/// The refusal of the job's own fields, extended by the problems of its families' parameters.
pub(super) fn read_job(spec: &JobSpec) -> Result<Job, Failure> {
    let mut payload = parse_payload(&spec.payload)?;
    set_missing_id(&mut payload, &spec.build_id);
    Job::from_value(&payload).map_err(|failure| with_family_problems(failure, payload, spec))
}

/// Removes blank ids, and adds `build_id` if no id is left. A payload that is not an object stays as it is.
fn set_missing_id(payload: &mut Value, build_id: &str) {
    let Value::Object(fields) = payload else { return };
    let is_blank = |value: &Value| value.is_null() || value.as_str().is_some_and(|id| id.trim().is_empty());
    fields.retain(|name, value| !ID_FIELDS.contains(&name.as_str()) || !is_blank(value));
    if !ID_FIELDS.iter().any(|id| fields.contains_key(*id)) {
        fields.insert("build_id".to_owned(), build_id.into());
    }
}

/// Extends the refusal of the job's own fields by the problems of the families' parameters, so that
/// one message has every problem.
fn with_family_problems(failure: Failure, payload: Value, spec: &JobSpec) -> Failure {
    match family_problems(payload, spec) {
        Some(other) => Failure { message: format!("{}; {}", failure.message, other.message), ..failure },
        None => failure,
    }
}

fn family_problems(mut payload: Value, spec: &JobSpec) -> Option<Failure> {
    let config = payload.pointer_mut("/design/ml_training_config")?.as_object_mut()?;
    // These two may be the refused fields. The others select the families and set their parameters.
    config.retain(|name, _| !["cv_folds", "seed"].contains(&name.as_str()));
    let job = json!({ "build_id": "job", "symbols": ["A"], "design": { "ml_training_config": config } });
    selection::select(&Job::from_value(&job).ok()?, &spec.plugins, &spec.refused).err()
}

#[cfg(test)]
mod tests {
    use oculus_market_data::BarsPlace;
    use oculus_plugin_host::limits::Limits;

    use super::*;
    use crate::artifacts::ArtifactsPlace;
    use crate::runner::spec::JobResources;

    fn ids_of(payload: Value) -> (String, String) {
        let resources = JobResources {
            bars: BarsPlace::Folder("/".into()),
            parallel_fits: 1,
            jobs_at_once: 1,
            gpu_enabled: false,
            gpu_lock: "/".into(),
            limits: Limits { memory_bytes: u64::MAX, silence: std::time::Duration::MAX },
            worker: "w".into(),
        };
        let spec = JobSpec {
            job_id: "known".to_owned(),
            build_id: "known".to_owned(),
            payload: payload.to_string(),
            plugins: vec![],
            refused: vec![],
            resources,
            artifacts: ArtifactsPlace { dir: "/".into(), token: "1".to_owned() },
        };
        let job = read_job(&spec).unwrap();
        (job.id, job.build_id)
    }

    #[test]
    fn a_payload_without_an_id_gets_the_one_of_its_key() {
        let pair = |id: &str, build_id: &str| (id.to_owned(), build_id.to_owned());
        assert_eq!(ids_of(json!({"symbols": ["A"]})), pair("known", "known"));
        assert_eq!(ids_of(json!({"symbols": ["A"], "job_id": null})), pair("known", "known"));
        assert_eq!(ids_of(json!({"symbols": ["A"], "job_id": "", "build_id": "b"})), pair("b", "b"));
        assert_eq!(ids_of(json!({"symbols": ["A"], "job_id": "j", "build_id": "b"})), pair("j", "b"));
    }
}
