//! `oculus-host plugin`: lists plugins, checks a library, rolls a plugin back, creates a new one.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use oculus_plugin_host::catalog::Catalog;

use crate::cli::stdout::print_output;
use crate::config::Config;

mod check;
mod list;
mod markdown;
mod new;
mod real_table;

/// The subcommands of `oculus-host plugin`.
#[derive(Subcommand)]
pub(super) enum PluginCommand {
    /// List the plugins of the plugins folder
    ///
    /// The table shows version, API version, generation, hash, names, devices and state of each
    /// plugin. Below it are the reasons for libraries that are not active.
    #[command(after_help = "Example:\n  oculus-host plugin list -v --plugins ./plugins")]
    List {
        /// Also show the parameters of each plugin and the generations of each file
        #[arg(short, long)]
        verbose: bool,
        /// Print JSON
        #[arg(long, conflicts_with = "verbose")]
        json: bool,
        /// Print the parameters of each model family as Markdown, as in docs/parameters.md
        #[arg(long, conflicts_with_all = ["verbose", "json"])]
        markdown: bool,
    },
    /// Check whether a library meets every requirement of a plugin
    ///
    /// Loads a copy of the library in a separate process and tests every claim of the plugin API on
    /// it. With `--bars DIR`, it also fits the plugin on the features of these daily bars, and
    /// prints the times and the number of scores. The exit code is 0 if every applicable claim
    /// holds and 1 otherwise. Nothing is installed.
    #[command(after_help = "Examples:\n  oculus-host plugin check target/release/liboculus_plugin_my_model.so\n  \
                            oculus-host plugin check target/release/liboculus_plugin_my_model.so --bars examples/bars")]
    Check {
        /// Library to check
        #[arg(value_name = "PATH")]
        path: PathBuf,
        /// Also show the claims that do not apply to this plugin, with the reason
        #[arg(short, long)]
        verbose: bool,
    },
    /// Activate an earlier generation of a plugin and quarantine the active one
    ///
    /// Without --to, the command selects the most recent earlier generation that may become active
    /// and has a clean record: it did not crash in any of its counted jobs. It prints the
    /// generations that it skips, with the reasons. A running worker switches within a second. Jobs
    /// that are running finish on the generation that they started with.
    #[command(after_help = "Example:\n  oculus-host plugin rollback lstm --to 3f2a")]
    Rollback {
        /// Id of the plugin
        #[arg(value_name = "ID")]
        id: String,
        /// First characters of the SHA-256 of the generation to activate [default: the last one with
        /// a clean record]
        #[arg(long, value_name = "HASH")]
        to: Option<String>,
    },
    New(new::PluginNewArgs),
}

/// Runs a subcommand.
///
/// * `bars`: the folder of the flag `--bars`, on which `plugin check` tries a library.
///
/// # Errors
/// Returns the error of the subcommand, for example if the plugins folder cannot be read or has no
/// earlier generation.
pub(super) fn run(config: &Config, command: &PluginCommand, bars: Option<&Path>) -> anyhow::Result<ExitCode> {
    let open_catalog = || -> anyhow::Result<_> {
        let catalog = Catalog::open(&config.jobs.plugins)?;
        catalog.scan_to_end()?;
        Ok(catalog)
    };
    let output = match command {
        PluginCommand::Check { path, verbose } => return check::run(config, path, bars, *verbose),
        PluginCommand::New(args) => return new::run(args),
        PluginCommand::List { markdown: true, .. } => markdown::families(&open_catalog()?.current().plugins()),
        PluginCommand::List { json: true, .. } => {
            let catalog = open_catalog()?;
            list::json(&catalog.current(), catalog.folder()).to_string()
        }
        PluginCommand::List { verbose, .. } => {
            let catalog = open_catalog()?;
            list::text(&catalog.current(), catalog.folder(), *verbose)
        }
        PluginCommand::Rollback { id, to } => {
            let (snapshot, skipped) = open_catalog()?.roll_back(id, to.as_deref())?;
            let skipped = skipped.iter().map(|build| format!("\nskipped: {build}"));
            list::active(&snapshot, id) + &skipped.collect::<String>()
        }
    };
    print_output(&output)?;
    Ok(ExitCode::SUCCESS)
}
