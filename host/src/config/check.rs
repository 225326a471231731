//! Parses and checks the values of variables, and collects all problems.

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use oculus_market_data::PolygonConfig;
use oculus_plugin_host::config::{PluginsConfig, Trust};
use oculus_plugin_host::limits::Limits;
use oculus_system::secret::{Secret, without_password};
use oculus_system::text::shorten;

use super::layers::Layers;
use super::settings::{BackendConfig, BarsSource, JobsConfig, LogConfig, LogFormat, QueueConfig, QueueEnd};
use super::variables;

/// The number of characters of a value that a message shows.
const MAX_SHOWN_CHARS: usize = 81;

/// The check of all variables. For an invalid value, it adds a message to [`Checker::problems`] and
/// continues with the default, so that one run reports all problems.
pub(super) struct Checker<'a> {
    pub(super) layers: &'a Layers,
    /// The working folder, to which relative paths refer.
    pub(super) folder: &'a Path,
    /// One sentence per problem.
    pub problems: Vec<String>,
    /// One sentence per valid setting that an operator should reconsider.
    pub warnings: Vec<String>,
}

impl<'a> Checker<'a> {
    /// Creates a checker of values that have been read.
    pub(super) fn new(layers: &'a Layers, folder: &'a Path) -> Self {
        Self { layers, folder, problems: Vec::new(), warnings: Vec::new() }
    }

    /// Returns the settings of the queues.
    pub(super) fn queue(&mut self) -> QueueConfig {
        let ttl = self.number("RESULT_TTL_SECONDS", 0..=315_360_000);
        QueueConfig {
            names: self.required("JOB_QUEUE", queue_names),
            end: self.required("JOB_QUEUE_END", |text| match text.to_lowercase().as_str() {
                "left" => Some(QueueEnd::Left),
                "right" => Some(QueueEnd::Right),
                _ => None,
            }),
            job_prefix: self.text("JOB_KEY_PREFIX", |_| true),
            result_prefix: self.text("RESULT_KEY_PREFIX", |_| true),
            result_ttl: (ttl > 0).then(|| Duration::from_secs(ttl)),
            lease: self.seconds("LEASE_SECONDS", 2..=86_400),
            max_crashes: self.number("MAX_CRASHES", 1..=1000) as u32,
            wait_replicas: self.number("REDIS_WAIT_REPLICAS", 0..=100) as u32,
        }
    }

    /// Returns the settings of jobs.
    pub(super) fn jobs(&mut self, environment: &HashMap<String, String>) -> JobsConfig {
        let polygon = self.polygon(environment);
        let folder = self.folder;
        let bars = self.read("BARS_SOURCE", |text| match text.split_once(':') {
            Some(("dir", path)) if !path.is_empty() => Some(BarsSource::Dir(folder.join(path))),
            _ => (text == "polygon").then_some(BarsSource::Polygon),
        });
        let default_source = if polygon.is_some() { BarsSource::Polygon } else { BarsSource::Unset };
        JobsConfig {
            concurrency: self.number("WORKER_CONCURRENCY", 1..=1024) as usize,
            timeout: self.seconds("JOB_TIMEOUT_SECONDS", 1..=31_536_000),
            gpu_enabled: self.required("GPU_ENABLED", truth_value),
            holds_off_sleep: self.required("HOLD_OFF_SLEEP", truth_value),
            plugins: self.plugins(environment),
            bars: bars.unwrap_or(default_source),
            artifacts_dir: self
                .read("ARTIFACTS_DIR", |path| Some(folder.join(path)))
                .unwrap_or_else(|| folder.join(user_data_folder(environment))),
            polygon,
        }
    }

    /// Returns the settings of plugins.
    fn plugins(&mut self, environment: &HashMap<String, String>) -> PluginsConfig {
        let folder = self.folder;
        let state_dir = self.read("PLUGINS_STATE_DIR", |path| Some(folder.join(path)));
        PluginsConfig {
            dir: self.required("PLUGINS_DIR", |path| Some(folder.join(path))),
            state_dir: state_dir.unwrap_or_else(|| folder.join(user_data_folder(environment)).join("plugins")),
            trust: self.trust(),
            limits: Limits {
                memory_bytes: match self.number("PLUGIN_MEMORY_MB", 0..=1_000_000_000) {
                    0 => Limits::default_memory_bytes(),
                    mib => mib << 20,
                },
                silence: self.seconds("PLUGIN_SILENCE_SECONDS", 1..=31_536_000),
            },
        }
    }

    /// Returns the rule that states which libraries may be opened.
    fn trust(&mut self) -> Trust {
        let folder = self.folder;
        let list = self.read("PLUGINS_TRUSTED", |path| Some(folder.join(path)));
        let is_listed = self.required("PLUGINS_TRUST", |text| match text.to_lowercase().as_str() {
            "any" => Some(false),
            "listed" => Some(true),
            _ => None,
        });
        match (is_listed, list) {
            (false, _) => Trust::Any,
            (true, Some(list)) => Trust::Listed(list),
            (true, None) => {
                let expected = "expected PLUGINS_TRUSTED, a file with the SHA-256 of each library that may be opened";
                // The `Trust::Any` below is never used, because a configuration with problems is
                // rejected.
                self.problems.push(format!("invalid PLUGINS_TRUST: found `listed` without a list, {expected}"));
                Trust::Any
            }
        }
    }

    /// Returns the settings of Polygon's market data, or `None` if no API key is set.
    fn polygon(&mut self, environment: &HashMap<String, String>) -> Option<PolygonConfig> {
        // Key and token are sent in HTTP headers, whose values must not contain control characters.
        let api_key = self.secret("POLYGON_API_KEY", |key| key.bytes().all(|byte| byte.is_ascii_graphic()));
        let base_url = self.required("POLYGON_BASE_URL", http_address);
        let alias_urls =
            self.required("POLYGON_ALIAS_URLS", |urls| urls.split(',').map(str::trim).map(http_address).collect());
        let requests_per_minute = self.number("POLYGON_REQUESTS_PER_MINUTE", 0..=1_000_000) as u32;
        let cache_dir = self.read("BARS_CACHE_DIR", |path| Some(self.folder.join(path)));
        let cache_dir = cache_dir.unwrap_or_else(|| self.folder.join(user_cache_folder(environment)).join("bars"));
        api_key.map(|api_key| PolygonConfig { base_url, alias_urls, api_key, requests_per_minute, cache_dir })
    }

    /// Returns the settings of the backend.
    pub(super) fn backend(&mut self) -> BackendConfig {
        let is_path = |path: &str| path.starts_with('/') && !path.contains(char::is_whitespace);
        BackendConfig {
            url: self.required("BACKEND_URL", http_address),
            register_path: self.text("BACKEND_REGISTER_PATH", is_path),
            heartbeat_path: self.text("BACKEND_HEARTBEAT_PATH", is_path),
            token: self.secret("BACKEND_TOKEN", |token| token.bytes().all(|byte| byte.is_ascii_graphic())),
            heartbeat_every: self.seconds("HEARTBEAT_SECONDS", 1..=86_400),
        }
    }

    /// Returns the time for which jobs may run after the first signal, or `None` for no limit.
    pub(super) fn drain_limit(&mut self) -> Option<Duration> {
        Some(self.seconds("DRAIN_SECONDS", 0..=31_536_000)).filter(|limit| !limit.is_zero())
    }

    /// Returns the settings of the log.
    pub(super) fn log(&mut self) -> LogConfig {
        LogConfig {
            level: self.required("LOG_LEVEL", |text| match text.to_uppercase().as_str() {
                "TRACE" => Some(tracing::Level::TRACE),
                "DEBUG" => Some(tracing::Level::DEBUG),
                "INFO" => Some(tracing::Level::INFO),
                "WARNING" | "WARN" => Some(tracing::Level::WARN),
                "ERROR" => Some(tracing::Level::ERROR),
                _ => None,
            }),
            format: self.required("LOG_FORMAT", |text| match text.to_lowercase().as_str() {
                "text" => Some(LogFormat::Text),
                "json" => Some(LogFormat::Json),
                _ => None,
            }),
        }
    }

    /// Returns the parsed value of a variable, or `None` if it is unset or invalid.
    pub(super) fn read<T>(&mut self, name: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let raw = self.layers.get(name)?;
        let value = parse(&raw.text);
        if value.is_none() {
            let variable = variables::find(name);
            let shown = match variable {
                Some(variable) if variable.secret => "***".to_owned(),
                _ => format!("`{}`", shorten(&without_password(&raw.text), MAX_SHOWN_CHARS)),
            };
            let allowed = variable.map_or("", |variable| variable.allowed);
            self.problems.push(format!("invalid {name}: found {shown} ({}), expected {allowed}", raw.origin));
        }
        value
    }

    /// Returns the parsed value of a variable, or its default if it is unset or invalid.
    pub(super) fn required<T>(&mut self, name: &str, parse: impl Fn(&str) -> Option<T>) -> T {
        let default = variables::find(name).map_or("", |variable| variable.default);
        self.read(name, &parse)
            .or_else(|| parse(default))
            // The default cannot be invalid: a test parses every default.
            .unwrap_or_else(|| unreachable!("the default of {name} is valid"))
    }

    /// Returns a variable that is a text.
    pub(super) fn text(&mut self, name: &str, is_allowed: impl Fn(&str) -> bool) -> String {
        self.required(name, |text| is_allowed(text).then(|| text.to_owned()))
    }

    /// Returns a variable that is a number in a range.
    pub(super) fn number(&mut self, name: &str, range: RangeInclusive<u64>) -> u64 {
        self.required(name, |text| text.parse().ok().filter(|number| range.contains(number)))
    }

    /// Returns a variable that is a number of seconds in a range.
    fn seconds(&mut self, name: &str, range: RangeInclusive<u64>) -> Duration {
        Duration::from_secs(self.number(name, range))
    }

    /// Returns a variable that is a secret.
    pub(super) fn secret(&mut self, name: &str, is_allowed: impl Fn(&str) -> bool) -> Option<Secret> {
        self.read(name, |text| is_allowed(text).then(|| Secret::new(text)))
    }
}

/// Returns comma-separated names of queues, or `None` if one of them is empty or occurs twice.
fn queue_names(text: &str) -> Option<Vec<String>> {
    let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
    let distinct: HashSet<&String> = names.iter().collect();
    (distinct.len() == names.len() && names.iter().all(|name| !name.is_empty())).then_some(names)
}

/// Returns an HTTP URL without its trailing slash, because every path that is appended to it starts
/// with a slash.
fn http_address(url: &str) -> Option<String> {
    let parsed = reqwest::Url::parse(url).ok()?;
    let usable = matches!(parsed.scheme(), "http" | "https") && parsed.has_host();
    usable.then(|| url.trim_end_matches('/').to_owned())
}

/// Reads a truth value, in upper or lower case.
fn truth_value(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// Returns this program's folder in the user's data folder.
fn user_data_folder(environment: &HashMap<String, String>) -> PathBuf {
    let folders =
        UserFolder { on_macos: "Library/Application Support", variable: "XDG_DATA_HOME", on_linux: ".local/share" };
    user_folder(environment, &folders)
}

/// Returns this program's folder in the user's cache folder.
fn user_cache_folder(environment: &HashMap<String, String>) -> PathBuf {
    let folders = UserFolder { on_macos: "Library/Caches", variable: "XDG_CACHE_HOME", on_linux: ".cache" };
    user_folder(environment, &folders)
}

/// The places of a user's data or cache folder on each system. On Linux they follow the XDG Base
/// Directory Specification.
struct UserFolder {
    /// The folder on macOS, relative to the home folder.
    on_macos: &'static str,
    /// The variable that contains the folder's path on other systems.
    variable: &'static str,
    /// The folder on other systems if the variable is unset, relative to the home folder.
    on_linux: &'static str,
}

/// Returns this program's folder in a user's data or cache folder.
fn user_folder(environment: &HashMap<String, String>, folders: &UserFolder) -> PathBuf {
    let folder = |name: &str| environment.get(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    let home = folder("HOME").unwrap_or_else(std::env::temp_dir);
    let parent = if cfg!(target_os = "macos") {
        home.join(folders.on_macos)
    } else {
        folder(folders.variable).unwrap_or_else(|| home.join(folders.on_linux))
    };
    parent.join("oculus-host")
}
