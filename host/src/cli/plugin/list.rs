//! Formats the plugins of a folder as a table or as JSON, and one plugin as a line.

use std::path::Path;

use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use oculus_plugin_api::{Manifest, Param, Role};
use oculus_plugin_host::catalog::snapshot::{FileEntry, FileState, Snapshot};
use oculus_plugin_host::installed::InstalledPlugin;
use oculus_plugin_host::selection;
use serde_json::{Value, json};

/// Number of characters of a hash that are shown. They are enough to distinguish the generations of
/// a file.
const SHORT_HASH: usize = 12;

/// Returns a table with one row per active plugin, and below it one line per file that is not
/// active.
pub(super) fn text(snapshot: &Snapshot, folder: &Path, verbose: bool) -> String {
    let mut lines = vec![overview(snapshot).to_string()];
    if verbose {
        lines.extend(snapshot.entries.iter().filter_map(details));
    }
    lines.extend(snapshot.entries.iter().filter_map(|entry| inactive_reason(entry, folder)));
    lines.extend(selection::conflicts(&snapshot.plugins()).into_iter().map(|conflict| format!("conflict: {conflict}")));
    if snapshot.plugins().is_empty() {
        let folder = folder.display();
        lines
            .push(format!("no active plugin in {folder}; `cargo xtask plugins` publishes the plugins of this project"));
    }
    lines.join("\n")
}

/// Returns the complete snapshot as JSON, for programs.
pub(super) fn json(snapshot: &Snapshot, folder: &Path) -> Value {
    let entries = snapshot.entries.iter().map(|entry| {
        json!({
            "path": entry.path,
            "sha256": entry.sha256,
            "state": entry.state.name(),
            "reason": entry.state.reason(),
            "active": entry.plugin.as_ref().map(|plugin| json!({
                "id": plugin.manifest.id,
                "version": plugin.manifest.version,
                "api": plugin.manifest.api,
                "generation": plugin.generation,
                "sha256": plugin.sha256,
                "role": plugin.manifest.role,
                "names": plugin.manifest.names,
                "devices": plugin.manifest.devices,
            })),
            "generations": entry.generations,
        })
    });
    let conflicts = selection::conflicts(&snapshot.plugins());
    json!({ "folder": folder, "plugins": entries.collect::<Vec<_>>(), "conflicts": conflicts })
}

/// Returns one line about the active generation of a plugin.
pub(super) fn active(snapshot: &Snapshot, id: &str) -> String {
    let plugins = snapshot.plugins();
    let Some(plugin) = plugins.iter().find(|plugin| plugin.manifest.id == id) else {
        return format!("`{id}` is rolled back; the earlier generation is examined before it becomes active");
    };
    let version = &plugin.manifest.version;
    let InstalledPlugin { generation, sha256, .. } = plugin;
    format!("{id} {version} is active: generation {generation}, SHA-256 {sha256}")
}

fn overview(snapshot: &Snapshot) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(["id", "version", "API", "gen.", "SHA-256", "role", "names", "selected by", "devices", "state"]);
    let mut rows: Vec<_> = snapshot.entries.iter().filter_map(|entry| Some((entry, entry.plugin.as_ref()?))).collect();
    rows.sort_by(|(_, a), (_, b)| (&a.manifest.id, &a.source).cmp(&(&b.manifest.id, &b.source)));
    for (entry, InstalledPlugin { manifest, sha256, generation, .. }) in rows {
        table.add_row([
            manifest.id.clone(),
            manifest.version.clone(),
            manifest.api.clone(),
            generation.to_string(),
            sha256.chars().take(SHORT_HASH).collect(),
            format!("{:?}", manifest.role).to_lowercase(),
            manifest.names.join(", "),
            selected_by(manifest),
            manifest.devices.join(", "),
            state(entry),
        ]);
    }
    table
}

fn selected_by(manifest: &Manifest) -> String {
    // `families` selects every family by any of its names.
    let by_name = (manifest.role != Role::Rules).then(|| "families".to_owned());
    let by_search = manifest.leads_search.then(|| "config_search_model".to_owned());
    // A rule extractor without a flag is the default: it mines rules in every job that names no
    // other extractor.
    let is_default = manifest.role == Role::Rules && manifest.flag.is_none();
    let by_default = is_default.then(|| "rule_extractor, or by default".to_owned());
    let by_config = by_name.into_iter().chain(by_search).chain(manifest.flag.clone());
    by_config.chain(by_default).collect::<Vec<_>>().join(", ")
}

/// Returns the state of a file that has an active plugin.
fn state(entry: &FileEntry) -> String {
    match &entry.state {
        FileState::Active => "active".to_owned(),
        FileState::Pending => "active; its new build is being examined".to_owned(),
        FileState::Quarantined { .. } | FileState::Refused { .. } => {
            format!("active; its new build is {}", entry.state.name())
        }
    }
}

/// Returns a line with the reason why the build in a file is not active, or `None` if it is active.
fn inactive_reason(entry: &FileEntry, folder: &Path) -> Option<String> {
    let path = entry.path.strip_prefix(folder.canonicalize().ok()?).unwrap_or(&entry.path).display();
    let hash: String = entry.sha256.iter().flat_map(|sha256| sha256.chars().take(SHORT_HASH)).collect();
    let name = entry.state.name();
    match (&entry.state, entry.state.reason()) {
        (FileState::Active, _) => None,
        (_, None) => Some(format!("{name}: {path}: it is being written or examined")),
        (_, Some(reason)) => {
            let hash = if hash.is_empty() { String::new() } else { format!(" ({hash})") };
            Some(format!("{name}: {path}{hash}: {}", reason.replace('\n', "\n    ")))
        }
    }
}

/// Returns the parameters of an active plugin and the generations of its file.
fn details(entry: &FileEntry) -> Option<String> {
    let plugin = entry.plugin.as_ref()?;
    let prefix = plugin.manifest.prefix.as_deref().unwrap_or("no prefix");
    let heading =
        format!("{} {} ({prefix}), {}", plugin.manifest.title(), plugin.manifest.version, entry.path.display());
    let generations = entry.generations.all().iter().map(|generation| {
        let number = generation.number;
        let since = &generation.since;
        let hash: String = generation.build.sha256.chars().take(SHORT_HASH).collect();
        let origin = format!("{:?}", generation.origin).to_lowercase();
        format!("  generation {number}: {} {hash}, {origin} {since}", generation.build.version)
    });
    Some(format!("\n{heading}\n{}\n{}", parameters(plugin), generations.collect::<Vec<_>>().join("\n")))
}

fn parameters(plugin: &InstalledPlugin) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(["parameter", "default", "allowed", "searched", "meaning"]);
    let prefix = plugin.manifest.prefix.as_deref().unwrap_or_default();
    for param in &plugin.manifest.params {
        table.add_row([
            format!("{prefix}{}", param.name),
            param.default().to_string(),
            param.allowed(),
            searched(param),
            param.help.clone(),
        ]);
    }
    table
}

/// Returns the range of a parameter in the config search, or an empty text if the parameter is not
/// searched.
pub(super) fn searched(param: &Param) -> String {
    param.search.map_or_else(String::new, |search| {
        format!("{} to {}{}", search.from, search.to, if search.log { ", log" } else { "" })
    })
}
