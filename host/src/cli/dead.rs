//! `oculus-host dead`: lists, shows, retries and drops dead letters.

use std::process::ExitCode;

use clap::{Args as ClapArgs, Subcommand};

use super::operator::{self, OperatorArgs, cell, count, time};
use crate::config::Config;
use crate::worker::operations::OperationError;
use crate::worker::operations::dead::{ChangedLetters, DeadLetterList, LetterAction, LetterSelection, QueuedLetter};

/// Number of characters of a message in a table.
const MAX_MESSAGE_CHARS: usize = 80;

/// The subcommands of `oculus-host dead`.
#[derive(Subcommand)]
pub(super) enum DeadCommand {
    /// List dead letters, newest first
    #[command(after_help = "Examples:\n  oculus-host dead list\n  oculus-host dead list --reason job_crashed --json")]
    List {
        /// Only letters with this error code
        #[arg(long, value_name = "CODE")]
        reason: Option<String>,
        /// Largest number of letters to show per queue
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: usize,
        #[command(flatten)]
        operator: OperatorArgs,
    },
    /// Show dead letters completely
    #[command(after_help = "Example:\n  oculus-host dead show build:example")]
    Show {
        /// Job ids, or first characters of hashes (at least 6) from `dead list`
        #[arg(value_name = "ID|HASH", required = true)]
        names: Vec<String>,
        #[command(flatten)]
        operator: OperatorArgs,
    },
    /// Push the entries of dead letters to their queue, and remove the letters
    ///
    /// The entries run after all entries that wait. A letter that contains only a part of its entry
    /// is refused. The exit code is 1 if a letter is refused or none is found.
    #[command(
        after_help = "Examples:\n  oculus-host dead retry build:example\n  oculus-host dead retry --reason job_crashed"
    )]
    Retry {
        #[command(flatten)]
        selection: SelectionArgs,
        #[command(flatten)]
        operator: OperatorArgs,
    },
    /// Remove dead letters
    #[command(after_help = "Examples:\n  oculus-host dead drop 3f2a9c01d4e5\n  oculus-host dead drop --all")]
    Drop {
        #[command(flatten)]
        selection: SelectionArgs,
        #[command(flatten)]
        operator: OperatorArgs,
    },
}

/// The selection of dead letters. Exactly one of the arguments is required.
#[derive(ClapArgs, Clone, Debug)]
#[group(required = true, multiple = false)]
pub(super) struct SelectionArgs {
    /// Job ids, or first characters of hashes (at least 6) from `dead list`
    #[arg(value_name = "ID|HASH")]
    pub names: Vec<String>,
    /// All letters with this error code
    #[arg(long, value_name = "CODE")]
    pub reason: Option<String>,
    /// All letters
    #[arg(long)]
    pub all: bool,
}

impl SelectionArgs {
    fn selection(&self) -> LetterSelection {
        match &self.reason {
            Some(reason) => LetterSelection::Reason(reason.clone()),
            None if self.all => LetterSelection::All,
            None => LetterSelection::Names(self.names.clone()),
        }
    }
}

/// Runs a subcommand. The exit code is 1 if no letter is found, or if one is refused.
///
/// # Errors
/// Returns an error if no letter is found, or if Redis cannot be reached.
pub(super) async fn run(config: &Config, command: &DeadCommand) -> anyhow::Result<ExitCode> {
    operator::exit_code_of(match command {
        DeadCommand::List { reason, limit, operator } => {
            let selection = reason.clone().map_or(LetterSelection::All, LetterSelection::Reason);
            show(config, operator, &selection, *limit, list).await
        }
        DeadCommand::Show { names, operator } => {
            let selection = LetterSelection::Names(names.clone());
            show(config, operator, &selection, usize::MAX, details).await
        }
        DeadCommand::Retry { selection, operator } => change(config, operator, selection, LetterAction::Retry).await,
        DeadCommand::Drop { selection, operator } => change(config, operator, selection, LetterAction::Drop).await,
    })
}

async fn show(
    config: &Config,
    args: &OperatorArgs,
    selection: &LetterSelection,
    limit: usize,
    text: fn(&DeadLetterList) -> String,
) -> anyhow::Result<ExitCode> {
    let lists = operator::connect(config, args)?.dead_letters(selection, limit).await?;
    let is_named = matches!(selection, LetterSelection::Names(_));
    if is_named && lists.iter().all(|list| list.letters.is_empty()) {
        let queues = lists.into_iter().map(|list| format!("`{}`", list.queue)).collect::<Vec<_>>().join(", ");
        return Err(OperationError::NoLetter { selection: selection.to_string(), queues }.into());
    }
    operator::print(&lists, args.json, |lists| lists.iter().map(text).collect::<Vec<_>>().join("\n\n"))?;
    Ok(ExitCode::SUCCESS)
}

async fn change(
    config: &Config,
    args: &OperatorArgs,
    selection: &SelectionArgs,
    action: LetterAction,
) -> anyhow::Result<ExitCode> {
    let changes = operator::connect(config, args)?.change_letters(&selection.selection(), action).await?;
    operator::print(&changes, args.json, |changes| changes.iter().map(changed).collect::<Vec<_>>().join("\n"))?;
    let is_complete = changes.iter().all(|change| change.refused.is_empty());
    Ok(if is_complete { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn list(list: &DeadLetterList) -> String {
    let heading = format!("queue {}: {}", list.queue, count(list.n_letters as usize, "dead letter", "dead letters"));
    if list.letters.is_empty() {
        return heading;
    }
    let mut table = operator::table(["hash", "job", "reason", "time", "message"]);
    for QueuedLetter { hash, letter, .. } in &list.letters {
        let message = letter.message.as_ref().map(|message| oculus_system::text::shorten(message, MAX_MESSAGE_CHARS));
        table.add_row([
            hash.clone(),
            cell(letter.id.as_ref()),
            cell(letter.reason.as_ref()),
            cell(letter.time.map(|seconds| time(seconds as f64))),
            cell(message),
        ]);
    }
    format!("{heading}\n{table}")
}

/// Returns every field of the letters, as indented JSON.
fn details(list: &DeadLetterList) -> String {
    let letters = list.letters.iter().filter_map(|letter| serde_json::to_string_pretty(letter).ok());
    letters.collect::<Vec<_>>().join("\n")
}

fn changed(change: &ChangedLetters) -> String {
    let n_changed = count(change.changed.len(), "dead letter", "dead letters");
    let outcome = match change.action {
        LetterAction::Retry => "pushed to the queue again",
        LetterAction::Drop => "dropped",
    };
    let refused = change.refused.iter().map(|letter| {
        let id = letter.id.as_ref().map_or_else(String::new, |id| format!(" ({id})"));
        format!("\nrefused: {}{id}: {}", letter.hash, letter.message)
    });
    format!("queue {}: {n_changed} {outcome}{}", change.queue, refused.collect::<String>())
}
