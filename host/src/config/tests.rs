//! Tests of the configuration.

use std::path::Path;
use std::time::Duration;

use super::*;

fn load(flags: &ConfigFlags, environment: &[(&str, &str)], folder: &Path) -> Result<Config, ConfigError> {
    let pairs = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::load(flags, pairs, folder)
}

fn from_environment(environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
    load(&ConfigFlags::default(), environment, tempfile::tempdir().unwrap().path())
}

#[test]
fn every_default_is_valid_and_equals_the_documented_one() {
    let config = from_environment(&[]).unwrap();
    assert_eq!(config.redis.to_string(), "redis://localhost:6379/0");
    assert_eq!(config.queue.names, ["oculus:training_queue"]);
    assert_eq!((config.queue.job_prefix.as_str(), config.queue.result_prefix.as_str()), ("job", "result"));
    assert_eq!((config.queue.end, config.queue.result_ttl, config.queue.max_crashes), (QueueEnd::Right, None, 3));
    assert_eq!((config.jobs.concurrency, config.jobs.gpu_enabled), (2, true));
    assert_eq!(config.jobs.timeout, Duration::from_secs(3600));
    assert_eq!(config.jobs.bars, BarsSource::Unset);
    assert_eq!(config.backend.url, "http://localhost:8000");
    assert_eq!(config.log.level, tracing::Level::INFO);
    assert!(config.warnings.is_empty());
}

#[test]
fn a_flag_overrides_the_environment_which_overrides_a_named_file_which_overrides_dot_env() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["WORKER_CONCURRENCY", "MAX_CRASHES", "LEASE_SECONDS", "HEARTBEAT_SECONDS"];
    let lines = |names: &[&str], value: u32| names.iter().map(|name| format!("{name}={value}\n")).collect::<String>();
    std::fs::write(folder.path().join(".env"), lines(&names, 4)).unwrap();
    std::fs::write(folder.path().join("production.env"), lines(&names[..3], 3)).unwrap();
    let flags =
        ConfigFlags { config: Some("production.env".into()), concurrency: Some("1".into()), ..ConfigFlags::default() };
    let config = load(&flags, &[("WORKER_CONCURRENCY", "2"), ("MAX_CRASHES", "2")], folder.path()).unwrap();
    assert_eq!(config.jobs.concurrency, 1);
    assert_eq!(config.queue.max_crashes, 2);
    assert_eq!(config.queue.lease, Duration::from_secs(3));
    assert_eq!(config.backend.heartbeat_every, Duration::from_secs(4));
}

#[test]
fn all_problems_are_reported_together_with_value_source_and_allowed_values() {
    let error = from_environment(&[("REDIS_PORT", "none"), ("LOG_LEVEL", "chatty"), ("GPU_ENABLED", "2")]).unwrap_err();
    assert_eq!(
        error.problems,
        [
            "invalid REDIS_PORT: found `none` (environment), expected a whole number from 1 to 65535",
            "invalid GPU_ENABLED: found `2` (environment), expected `true` or `false`",
            "invalid LOG_LEVEL: found `chatty` (environment), expected `TRACE`, `DEBUG`, `INFO`, `WARNING` or `ERROR`",
        ]
    );
}

#[test]
fn valid_and_invalid_secrets_are_never_shown() {
    let secrets =
        [("REDIS_URL", "redis://:hunter2@localhost"), ("POLYGON_API_KEY", "hunter2"), ("BACKEND_TOKEN", "hunter2")];
    let shown = format!("{:?}", from_environment(&secrets).unwrap());
    assert!(!shown.contains("hunter2") && shown.contains("***"), "{shown}");
    let invalid = [("REDIS_URL", "nonsense://:hunter2@localhost"), ("BACKEND_TOKEN", "hunter2\u{e9}")];
    let shown = from_environment(&invalid).unwrap_err().to_string();
    assert!(!shown.contains("hunter2") && shown.contains("REDIS_URL") && shown.contains("BACKEND_TOKEN"), "{shown}");
}

#[test]
fn two_configurations_are_compared_by_variable_and_secrets_are_hidden() {
    let first = [("LOG_LEVEL", "INFO"), ("BACKEND_TOKEN", "hunter2"), ("REDIS_URL", "redis://:hunter2@a")];
    let second = [("LOG_LEVEL", "DEBUG"), ("BACKEND_TOKEN", "hunter3"), ("REDIS_URL", "redis://:hunter3@a")];
    let [first, second] = [first, second].map(|environment| from_environment(&environment).unwrap().texts);
    let changes = first.changes(&second);
    let shown: Vec<_> = changes.iter().map(|change| (change.name, change.from.as_str(), change.to.as_str())).collect();
    let url = "redis://:***@a";
    assert_eq!(shown, [("BACKEND_TOKEN", "***", "***"), ("LOG_LEVEL", "INFO", "DEBUG"), ("REDIS_URL", url, url)]);
    assert_eq!(first.changes(&first), []);
    let defaults = from_environment(&[]).unwrap().texts;
    assert_eq!(defaults.changes(&from_environment(&[("LOG_LEVEL", "INFO")]).unwrap().texts), []);
}

#[test]
fn an_invalid_file_is_reported_with_the_line_number_and_without_its_content() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".env"), "LOG_LEVEL=DEBUG\nBACKEND_TOKEN='hunter2\n").unwrap();
    let error = load(&ConfigFlags::default(), &[], folder.path()).unwrap_err().to_string();
    assert!(error.contains("line 2 of") && !error.contains("hunter2"), "{error}");
}

#[test]
fn a_config_file_that_does_not_exist_is_an_error() {
    let flags = ConfigFlags { config: Some("absent.env".into()), ..ConfigFlags::default() };
    let error = load(&flags, &[], tempfile::tempdir().unwrap().path()).unwrap_err().to_string();
    assert!(error.contains("absent.env"), "{error}");
}

#[test]
fn a_misspelt_variable_in_a_file_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".env"), "REDIS_PROT=6380\nSOMETHING_ELSE=1\n").unwrap();
    let config = load(&ConfigFlags::default(), &[], folder.path()).unwrap();
    assert_eq!(config.warnings.len(), 1);
    assert!(config.warnings[0].contains("REDIS_PROT") && config.warnings[0].ends_with("did you mean REDIS_PORT?"));
}

#[test]
fn empty_values_are_treated_as_unset() {
    let config = from_environment(&[("POLYGON_API_KEY", ""), ("REDIS_URL", " ")]).unwrap();
    assert!(config.jobs.polygon.is_none());
    assert_eq!(config.redis.to_string(), "redis://localhost:6379/0");
}

#[test]
fn variables_complete_the_address_of_redis_and_contradictions_are_named() {
    let address = |settings: &[(&str, &str)]| from_environment(settings).map(|config| config.redis.to_string());
    assert_eq!(address(&[("REDIS_HOST", "::1"), ("REDIS_PASSWORD", "a/b@c")]).unwrap(), "redis://:***@[::1]:6379/0");
    let sentinels = [("REDIS_URL", "redis+sentinel://a/main"), ("REDIS_SENTINEL_PASSWORD", "p")];
    assert_eq!(address(&sentinels).unwrap(), "redis+sentinel://a:26379/main/0");
    let same = [("REDIS_URL", "redis://:p@h"), ("REDIS_PASSWORD", "p")];
    assert_eq!(address(&same).unwrap(), "redis://:***@h:6379/0");
    for (settings, expected) in [
        (
            [("REDIS_URL", "redis://:hunter2@h"), ("REDIS_PASSWORD", "hunter3")],
            "the password before the host and REDIS_PASSWORD have different values",
        ),
        ([("REDIS_URL", "redis://h"), ("REDIS_TLS_CA", "ca.pem")], "REDIS_TLS_CA needs TLS"),
        ([("REDIS_URL", "rediss://h"), ("REDIS_TLS_CA", "ca.pem")], "cannot read"),
        ([("REDIS_URL", "rediss://h"), ("REDIS_TLS_KEY", "key.pem")], "REDIS_TLS_KEY needs a certificate"),
        ([("REDIS_URL", "rediss://h"), ("REDIS_TLS_VERIFY", "maybe")], "expected `full`, `authority`"),
        (
            [("REDIS_URL", "redis://h"), ("REDIS_SENTINEL_PASSWORD", "hunter2")],
            "REDIS_SENTINEL_PASSWORD needs sentinels",
        ),
        ([("REDIS_URL", "redis://h"), ("REDIS_USERNAME", "bob")], "REDIS_USERNAME has no password"),
        ([("REDIS_HOST", ":hunter2@h"), ("REDIS_PORT", "1")], "REDIS_USERNAME and REDIS_PASSWORD are separate"),
    ] {
        let error = from_environment(&settings).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains("hunter"), "{error}");
    }
}

#[test]
fn a_polygon_key_makes_polygon_the_source_unless_another_is_configured() {
    let key = ("POLYGON_API_KEY", "key");
    assert_eq!(from_environment(&[key]).unwrap().jobs.bars, BarsSource::Polygon);
    let named = from_environment(&[key, ("BARS_SOURCE", "dir:/bars")]).unwrap();
    assert_eq!(named.jobs.bars, BarsSource::Dir("/bars".into()));
}

#[test]
fn both_names_of_polygon_are_aliases_and_each_can_be_set() {
    let polygon = |more: &[(&str, &str)]| {
        let environment = [&[("POLYGON_API_KEY", "key")], more].concat();
        from_environment(&environment).unwrap().jobs.polygon.unwrap()
    };
    let default = polygon(&[]);
    assert_eq!(default.base_url, "https://api.polygon.io");
    assert_eq!(default.alias_urls, ["https://api.polygon.io", "https://api.massive.com"]);
    let set = polygon(&[
        ("POLYGON_BASE_URL", "https://api.massive.com/"),
        ("POLYGON_ALIAS_URLS", "http://localhost:1/, http://localhost:2"),
    ]);
    assert_eq!(set.base_url, "https://api.massive.com");
    assert_eq!(set.alias_urls, ["http://localhost:1", "http://localhost:2"]);
    let invalid = from_environment(&[("POLYGON_ALIAS_URLS", "api.massive.com")]).unwrap_err().to_string();
    assert!(invalid.contains("POLYGON_ALIAS_URLS") && invalid.contains("expected comma-separated URLs"), "{invalid}");
}

#[test]
fn the_documentation_and_the_example_contain_every_variable_with_its_default() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let docs = std::fs::read_to_string(root.join("docs/configuration.md")).unwrap();
    let example = std::fs::read_to_string(root.join(".env.example")).unwrap();
    for variable in variables::VARIABLES {
        let row = format!(
            "| `{}` | {}",
            variable.name,
            match variable.default {
                "" => String::new(),
                default => format!("`{default}` |"),
            }
        );
        assert!(docs.contains(&row), "docs/configuration.md lacks `{row}`");
        let line = format!("# {}={}\n", variable.name, variable.default);
        assert!(example.contains(&line), ".env.example lacks `{line}`");
    }
}
