//! Formats the parameters of each model family as Markdown, for the page `docs/parameters.md`.
//!
//! Hashes and devices are left out, so that the page is the same on every machine.

use oculus_plugin_api::{Manifest, Role};
use oculus_plugin_host::installed::InstalledPlugin;

use super::list::searched;

/// Returns one section per plugin, ordered by id.
pub(super) fn families(plugins: &[InstalledPlugin]) -> String {
    let mut manifests: Vec<_> = plugins.iter().map(|plugin| &plugin.manifest).collect();
    manifests.sort_by(|a, b| a.id.cmp(&b.id));
    // Two files may contain the same plugin, but the page describes it once.
    manifests.dedup_by(|a, b| a.id == b.id);
    let sections: Vec<_> = manifests.into_iter().map(section).collect();
    sections.join("\n\n")
}

fn section(manifest: &Manifest) -> String {
    let prefix = manifest.prefix.as_deref().unwrap_or_default();
    let rows = manifest.params.iter().map(|param| {
        let cells = [
            format!("`{prefix}{}`", param.name),
            format!("`{}`", param.default()),
            param.allowed(),
            searched(param),
            param.help.clone(),
        ];
        format!("| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | "))
    });
    let table = [
        "| parameter | default | allowed | searched | meaning |".to_owned(),
        "| --- | --- | --- | --- | --- |".to_owned(),
    ];
    let table: Vec<_> = table.into_iter().chain(rows).collect();
    format!("## {}\n\n{}\n\n{}", manifest.title(), selected_by(manifest), table.join("\n"))
}

/// Returns a list: the kind of the plugin, how a job selects it, its names, and the file of its
/// models.
fn selected_by(manifest: &Manifest) -> String {
    let kind = match manifest.role {
        Role::Tabular => "Reads one row at a time.",
        Role::Sequence => "Reads a window of rows.",
        Role::Rules => "Mines rules.",
        Role::Unknown => "Its role is unknown to this version.",
    };
    let names: Vec<_> = manifest.names.iter().map(|name| format!("`{name}`")).collect();
    let by_name = match (manifest.role, manifest.leads_search) {
        (Role::Rules, _) => "`rule_extractor`",
        (_, true) => "`config_search_model` or `families`",
        (_, false) => "`families`",
    };
    let is_default = manifest.role == Role::Rules && manifest.flag.is_none();
    let by_default = if is_default { ", or by default" } else { "" };
    let flag = manifest.flag.as_ref().map(|flag| format!(", or by `{flag}: true`")).unwrap_or_default();
    let extension = manifest.saves_as.as_deref().unwrap_or("bin");
    let id = &manifest.id;
    let names = names.join(", ");
    let saved =
        if manifest.role == Role::Rules { String::new() } else { format!("\n- Saved as `models/{id}.{extension}`.") };
    format!("- Plugin `{id}`. {kind}\n- Selected by {by_name}{flag}{by_default}.\n- Names in a job: {names}.{saved}")
}
