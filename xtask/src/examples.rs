//! Writes `docs/schema/examples/result.json`, from which the page of results takes its examples.
//!
//! In: the built program and plugins. Out: the results of two real jobs: one with a model, one
//! without. Invariant: the file changes only if the keys of a result change. Otherwise each build of
//! a plugin would change the page, because a result contains the hashes of the plugins.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::shell::root;

/// Runs the jobs, and writes their results if they have other keys than the file.
pub(crate) fn refresh_results(host: &Path) -> Result<()> {
    let folder = root().join("docs/schema/examples");
    let job: Value = serde_json::from_slice(&fs::read(folder.join("job.json"))?).context("job.json is not JSON")?;
    let mut without_bars = job.clone();
    without_bars["symbols"] = json!(["NO_SUCH_SYMBOL"]);
    let results = json!([without_machine(train(host, &job)?), train(host, &without_bars)?]);
    // A message names the folder of the bars.
    let folder_of_bars = root().join("examples/bars").to_string_lossy().into_owned();
    let results: Value = serde_json::from_str(&results.to_string().replace(&folder_of_bars, "/srv/oculus/bars"))?;
    let path = folder.join("result.json");
    let known = fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
    if known.is_some_and(|known| key_paths(&known) == key_paths(&results)) {
        return Ok(());
    }
    fs::write(&path, format!("{results:#}\n")).with_context(|| format!("cannot write {}", path.display()))?;
    eprintln!("docs: wrote {}", path.display());
    Ok(())
}

/// Runs a job in the foreground and returns its result.
fn train(host: &Path, job: &Value) -> Result<Value> {
    let folder = std::env::temp_dir().join(format!("oculus-docs-{}", std::process::id()));
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let file = folder.join("job.json");
    fs::write(&file, job.to_string())?;
    let mut command = Command::new(host);
    command.arg("--plugins").arg(root().join("plugins")).arg("--bars").arg(root().join("examples/bars"));
    command.arg("train").arg(&file).arg("--json").current_dir(&folder);
    let trained = command.env("ARTIFACTS_DIR", &folder).output().with_context(|| format!("cannot start {command:?}"));
    fs::remove_dir_all(&folder)?;
    // A failed job prints its result too.
    serde_json::from_slice(&trained?.stdout).with_context(|| format!("{command:?} printed no result"))
}

/// Replaces the names of this machine.
fn without_machine(mut result: Value) -> Value {
    if let Some(run) = result.get_mut("run").and_then(Value::as_object_mut) {
        run.insert("worker".to_owned(), json!("trainer-1-4711-1767225600"));
        run.insert("host".to_owned(), json!("trainer-1"));
        run.insert("artifacts".to_owned(), json!("/srv/oculus/artifacts/build:example/1767225600000000"));
    }
    result
}

/// Returns the paths of all keys, without the indices of lists.
fn key_paths(value: &Value) -> BTreeSet<String> {
    let below = |name: &str, value: &Value| {
        key_paths(value).into_iter().map(|path| format!("{name}.{path}")).chain([name.to_owned()]).collect::<Vec<_>>()
    };
    match value {
        Value::Object(fields) => fields.iter().flat_map(|(name, value)| below(name, value)).collect(),
        Value::Array(items) => items.iter().flat_map(key_paths).collect(),
        _ => BTreeSet::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_with_other_values_have_equal_key_paths() {
        let first = json!([{ "models": [{ "name": "a" }, { "reason": "b" }] }]);
        let second = json!([{ "models": [{ "name": "c", "reason": null }] }]);
        assert_eq!(key_paths(&first), key_paths(&second));
        assert_ne!(key_paths(&first), key_paths(&json!([{ "models": [] }])));
    }
}
