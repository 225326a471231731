//! `oculus-host plugin`: lists the active plugins, checks a library, and rolls a plugin back.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use oculus_plugin_host::catalog::Catalog;

use crate::cli::stdout::print_answer;
use crate::config::Config;

mod check;
mod list;
mod markdown;
mod new;

/// Commands on plugins.
#[derive(Subcommand)]
pub(super) enum PluginCommand {
    /// List plugins: version, API, generation, hash, names, devices, state; and why a library does not serve
    #[command(after_help = "Example:\n  oculus-host plugin list -v --plugins ./plugins")]
    List {
        /// Also every parameter with its default and range, and the generations of each file
        #[arg(short, long)]
        verbose: bool,
        /// As JSON
        #[arg(long, conflicts_with = "verbose")]
        json: bool,
        /// As Markdown, for documentation: the parameters of each model family
        #[arg(long, conflicts_with_all = ["verbose", "json"])]
        markdown: bool,
    },
    /// Check a library: everything that a plugin promises is tried on it, in a process of its own
    ///
    /// The exit code is 0 where all of it holds, else 1. Nothing is installed.
    #[command(after_help = "Example:\n  oculus-host plugin check target/release/liboculus_plugin_my_model.so")]
    Check {
        /// The library
        #[arg(value_name = "PATH")]
        path: PathBuf,
        /// Also the claims that do not apply to such a plugin, with the reason
        #[arg(short, long)]
        verbose: bool,
    },
    /// Let the generation before serve again, and withdraw the present one; a running worker follows within a second
    #[command(after_help = "Example:\n  oculus-host plugin rollback lstm --to 3f2a")]
    Rollback {
        /// The plugin
        #[arg(value_name = "ID")]
        id: String,
        /// Beginning of the SHA-256 of the generation that is to serve; the last other one where none is given
        #[arg(long, value_name = "HASH")]
        to: Option<String>,
    },
    New(new::PluginNewArgs),
}

/// Runs the command.
///
/// # Errors
/// The plugins folder cannot be read, or there is no earlier generation.
pub(super) fn run(config: &Config, command: &PluginCommand) -> anyhow::Result<ExitCode> {
    let scanned = || -> anyhow::Result<_> {
        let catalog = Catalog::open(&config.jobs.plugins)?;
        catalog.scan_to_end()?;
        Ok(catalog)
    };
    let answer = match command {
        PluginCommand::Check { path, verbose } => return check::run(config, path, *verbose),
        PluginCommand::New(args) => return new::run(args),
        PluginCommand::List { markdown: true, .. } => markdown::families(&scanned()?.current().plugins()),
        PluginCommand::List { json: true, .. } => {
            let catalog = scanned()?;
            list::json(&catalog.current(), catalog.folder()).to_string()
        }
        PluginCommand::List { verbose, .. } => {
            let catalog = scanned()?;
            list::text(&catalog.current(), catalog.folder(), *verbose)
        }
        PluginCommand::Rollback { id, to } => {
            let snapshot = scanned()?.roll_back(id, to.as_deref())?;
            list::active(&snapshot, id)
        }
    };
    print_answer(&answer)?;
    Ok(ExitCode::SUCCESS)
}
