//! `oculus-host plugin`: what lies in the plugins folder.

use std::process::ExitCode;

mod markdown;
mod new;

use clap::Subcommand;
use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use oculus_plugin_api::{Param, Role};

use crate::config::Config;
use crate::plugins::InstalledPlugin;
use crate::plugins::discover::{self, Found};

/// Commands on plugins.
#[derive(Subcommand)]
pub enum Command {
    /// List plugins: version, API, hash, names, devices; and why a library is none
    #[command(after_help = "Example:\n  oculus-host plugin list -v --plugins ./plugins")]
    List {
        /// Also every parameter with its default and range
        #[arg(short, long)]
        verbose: bool,
        /// As Markdown, for documentation: what a job may say of each model family
        #[arg(long, conflicts_with = "verbose")]
        markdown: bool,
    },
    New(new::Args),
}

/// Runs the command.
///
/// # Errors
/// When the plugins folder cannot be read.
pub fn run(config: &Config, command: &Command) -> anyhow::Result<ExitCode> {
    let (verbose, markdown) = match command {
        Command::List { verbose, markdown } => (verbose, markdown),
        Command::New(args) => return new::run(args),
    };
    let found = discover::discover(&config.jobs.plugins.dir)?;
    if *markdown {
        super::answer(&markdown::families(&found.plugins))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut lines = vec![overview(&found).to_string()];
    if *verbose {
        lines.extend(found.plugins.iter().map(|plugin| format!("\n{}\n{}", heading(plugin), parameters(plugin))));
    }
    let refused = found.refused.iter();
    lines.extend(refused.map(|refused| format!("no plugin: {}: {}", refused.path.display(), refused.reason)));
    if found.plugins.is_empty() {
        let folder = config.jobs.plugins.dir.display();
        lines.push(format!("no plugin in {folder}; publish this project's by `cargo xtask plugins`"));
    }
    super::answer(&lines.join("\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn overview(found: &Found) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(["id", "version", "API", "role", "names", "selected by", "devices", "SHA-256"]);
    for InstalledPlugin { manifest, sha256, .. } in &found.plugins {
        let lead = manifest.leads_search.then(|| "config_search_model".to_owned());
        let unasked = manifest.role == Role::Rules && manifest.flag.is_none();
        let unasked = unasked.then(|| "rule_extractor, or unasked".to_owned());
        let selected_by: Vec<_> = lead.into_iter().chain(manifest.flag.clone()).chain(unasked).collect();
        table.add_row([
            manifest.id.clone(),
            manifest.version.clone(),
            manifest.api.clone(),
            format!("{:?}", manifest.role).to_lowercase(),
            manifest.names.join(", "),
            selected_by.join(", "),
            manifest.devices.join(", "),
            sha256.chars().take(12).collect(),
        ]);
    }
    table
}

fn heading(plugin: &InstalledPlugin) -> String {
    let prefix = plugin.manifest.prefix.as_deref().unwrap_or("no prefix");
    format!("{} {} ({})", plugin.manifest.title(), plugin.manifest.version, prefix)
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

/// Where the config search looks for a parameter; empty where it does not.
fn searched(param: &Param) -> String {
    param.search.map_or_else(String::new, |search| {
        format!("{} to {}{}", search.from, search.to, if search.log { ", log" } else { "" })
    })
}
