//! Access to parts of a job's result.

use serde_json::Value;

/// Returns the row of a model family.
///
/// # Panics
/// Panics if the result has no such row.
pub fn model<'r>(result: &'r Value, name: &str) -> &'r Value {
    let rows = result["models"].as_array().unwrap_or_else(|| panic!("no models in {result}"));
    rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("no {name} in {rows:?}"))
}

/// Returns the messages of all warnings with a code.
///
/// # Panics
/// Panics if the result has no list of warnings.
pub fn warnings<'r>(result: &'r Value, code: &str) -> Vec<&'r str> {
    let warnings = result["warnings"].as_array().unwrap_or_else(|| panic!("no warnings in {result}"));
    let found = warnings.iter().filter(|warning| warning["code"] == code);
    found.map(|warning| warning["message"].as_str().unwrap()).collect()
}

/// Returns the message of the one warning with a code.
///
/// # Panics
/// Panics if the result has no such warning, or more than one.
pub fn warning<'r>(result: &'r Value, code: &str) -> &'r str {
    let found = warnings(result, code);
    let [message] = found[..] else { panic!("{} warnings {code} in {}", found.len(), result["warnings"]) };
    message
}

/// Returns the message of a failed job's error.
///
/// # Panics
/// Panics if the job did not fail with this code.
pub fn failure<'r>(result: &'r Value, code: &str) -> &'r str {
    assert_eq!((result["status"].as_str(), result["error"]["code"].as_str()), (Some("failed"), Some(code)), "{result}");
    result["error"]["message"].as_str().unwrap()
}

/// Returns the ids of the plugins that a job used.
///
/// # Panics
/// Panics if the result does not list them.
pub fn plugins(result: &Value) -> Vec<&str> {
    let plugins = result["provenance"]["plugins"].as_array().unwrap();
    plugins.iter().map(|plugin| plugin["id"].as_str().unwrap()).collect()
}

/// Returns the SHA-256 of a plugin that a result lists.
pub fn plugin_sha256<'r>(result: &'r Value, id: &str) -> Option<&'r str> {
    let plugins = result["provenance"]["plugins"].as_array()?;
    plugins.iter().find(|plugin| plugin["id"] == id)?["sha256"].as_str()
}

/// Returns a result's bytes without its `run` block and without the number of earlier submissions.
/// They are equal for every run of a job.
///
/// # Panics
/// Panics if the result has no `run` block or no submissions.
pub fn outside_run(result: &Value) -> String {
    let mut result = result.clone();
    for part in ["run", "submissions"] {
        let removed = result.as_object_mut().and_then(|fields| fields.remove(part));
        assert!(removed.is_some_and(|part| part.is_object()), "no {part} in {result}");
    }
    if let Some(warnings) = result["warnings"].as_array_mut() {
        warnings.retain(|warning| warning["code"] != "test_reused");
    }
    result.to_string()
}
