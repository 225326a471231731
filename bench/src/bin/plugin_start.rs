//! Measures the time in which plugin processes start, for `cargo xtask bench plugins`.
//!
//! `plugin_start N_RUNS LIBRARY...` prints one JSON object per library. The object contains the
//! plugin's id and the size of the library. For each run, it contains three times in milliseconds:
//! from the start of the process until the library is open, until the table is prepared, and until
//! the first fit is done. This program is also the plugin process: it starts itself with the
//! argument `plugin-process`, as the host does.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use oculus_pipeline::features::FeatureTable;
use oculus_pipeline::fitter;
use oculus_plugin_api::{FeatureRole, Role};
use oculus_plugin_host::catalog::Catalog;
use oculus_plugin_host::config::{PluginsConfig, Trust};
use oculus_plugin_host::installed::InstalledPlugin;
use oculus_plugin_host::library::LibraryRef;
use oculus_plugin_host::limits::Limits;
use oculus_plugin_host::plugin_main;
use oculus_plugin_host::process::{CallError, PluginProcess, ProcessOptions};
use oculus_plugin_host::protocol::{Extract, Fit, Request};
use oculus_plugin_host::table::SharedTable;
use serde_json::json;

const N_ROWS: u32 = 512;
const N_TRAIN_ROWS: u32 = 400;
const N_FEATURES: usize = 8;
const LIMITS: Limits = Limits { memory_bytes: 8 << 30, silence: Duration::from_secs(60) };

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [role] if role == "plugin-process" => plugin_main::run()?,
        [n_runs, libraries @ ..] => {
            let n_runs = n_runs.parse()?;
            let table = SharedTable::write(&table())?;
            for library in libraries {
                println!("{}", measure(Path::new(library), &table, n_runs)?);
            }
        }
        [] => bail!("usage: plugin_start N_RUNS LIBRARY..."),
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns a table of one symbol whose first feature is correlated with the label.
fn table() -> FeatureTable {
    let value = |column: usize, row: u32| ((row as usize * (31 + column) + column * 7) % 97) as f32 / 97.0;
    FeatureTable {
        names: (0..N_FEATURES).map(|column| format!("F{column}")).collect(),
        roles: vec![FeatureRole::Model; N_FEATURES],
        values: (0..N_FEATURES)
            .flat_map(|column| (0..N_ROWS).map(move |row| value(column, row)))
            .collect::<Vec<_>>()
            .into(),
        symbol: vec![0; N_ROWS as usize],
        day: (0..N_ROWS.cast_signed()).collect(),
        time: (0..i64::from(N_ROWS)).map(|row| row * 86_400).collect(),
        ..FeatureTable::default()
    }
}

fn label() -> Vec<f32> {
    (0..N_ROWS).map(|row| f32::from(u8::from(row * 31 % 97 + row % 13 > 60))).collect()
}

/// Starts a library's process `n_runs` times and returns the measured times as a JSON object.
fn measure(library: &Path, table: &SharedTable, n_runs: usize) -> Result<serde_json::Value> {
    let folder = tempfile::tempdir()?;
    let plugin = install(library, folder.path()).with_context(|| library.display().to_string())?;
    let runs = (0..n_runs).map(|_| time_start(&plugin, table)).collect::<Result<Vec<_>>>()?;
    let n_bytes = std::fs::metadata(library)?.len();
    Ok(json!({ "id": plugin.manifest.id, "library": library, "bytes": n_bytes, "runs": runs }))
}

/// Publishes the library in a plugins folder below `folder`. Returns the active plugin as a job
/// would receive it.
fn install(library: &Path, folder: &Path) -> Result<InstalledPlugin> {
    let dir = folder.join("plugins");
    let state_dir = folder.join("state");
    std::fs::create_dir(&dir)?;
    // A symbolic link suffices, because the catalog copies the linked file into its store.
    std::os::unix::fs::symlink(library.canonicalize()?, dir.join(library.file_name().unwrap_or_default()))?;
    let catalog = Catalog::open(&PluginsConfig { dir, state_dir, trust: Trust::Any, limits: LIMITS })?;
    catalog.scan_to_end()?;
    let snapshot = catalog.current();
    let refused = snapshot.refused().into_iter().map(|refused| refused.reason).next();
    snapshot.plugins().into_iter().next().with_context(|| refused.unwrap_or_else(|| "not a plugin library".to_owned()))
}

/// Returns three times in milliseconds: until the library is open, until the table is prepared, and
/// until the first fit is done.
fn time_start(plugin: &InstalledPlugin, table: &SharedTable) -> Result<[f64; 3]> {
    let started = Instant::now();
    let elapsed_ms = || started.elapsed().as_secs_f64() * 1e3;
    let listener = Arc::new(|_: &_| {});
    let process = PluginProcess::start(ProcessOptions {
        library: LibraryRef::from(plugin),
        table: Some(table),
        gpu: None,
        limits: LIMITS,
        listener,
    })?;
    call(&process, Request::Describe)?;
    let opened = elapsed_ms();
    // A rule extractor has no separate preparation. Its third time ends when it has extracted
    // rules.
    if plugin.manifest.role == Role::Rules {
        call(&process, extraction())?;
        return Ok([opened, opened, elapsed_ms()]);
    }
    let setting = fitter::setting("cpu", 1).to_json()?;
    call(&process, Request::Prepare { prepared: 0, learn_rows: (0..N_TRAIN_ROWS).collect(), setting })?;
    let prepared = elapsed_ms();
    call(&process, Request::Fit(fit()))?;
    Ok([opened, prepared, elapsed_ms()])
}

/// Sends a request to the plugin process.
///
/// # Errors
/// Returns an error if the plugin rejects the request or the process dies.
fn call(process: &PluginProcess, request: Request) -> Result<()> {
    match process.call(request) {
        Ok(_) => Ok(()),
        Err(CallError::Rejected { message, .. }) => bail!("{message}"),
        Err(CallError::Died(death)) => bail!("{}: {}", death.cause, death.stderr.join("\n")),
    }
}

fn fit() -> Fit {
    Fit {
        prepared: 0,
        label: label(),
        train_rows: (0..N_TRAIN_ROWS).collect(),
        tune_rows: (N_TRAIN_ROWS..N_ROWS).collect(),
        params: "{}".to_owned(),
        seed: 1,
        device: "cpu".to_owned(),
        predict_rows: (N_TRAIN_ROWS..N_ROWS).collect(),
        base_score: None,
        keep_model: false,
    }
}

fn extraction() -> Request {
    Request::Extract(Extract {
        label: label(),
        train_rows: (0..N_TRAIN_ROWS).collect(),
        scores: label(),
        params: "{}".to_owned(),
        seed: 1,
    })
}
