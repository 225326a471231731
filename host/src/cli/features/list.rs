//! `oculus-host features list`: the catalogue, as a table or as the page `docs/features.md`.

use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use comfy_table::{ContentArrangement, Table, presets::UTF8_FULL_CONDENSED};
use oculus_pipeline::features::{Entry, Section, listing};
use oculus_plugin_api::FeatureRole;

use crate::cli::stdout::print_answer;

/// List the features that a job or a rule may name: definition, warm-up, unit, other spellings
///
/// n, m, k are the parameters of a name, in their order; a part of a name in brackets may be left away.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Example:\n  oculus-host features list --group momentum")]
pub(crate) struct FeaturesListArgs {
    /// Only this group
    #[arg(long, value_name = "G", value_parser = groups())]
    group: Option<String>,
    /// As Markdown, for documentation
    #[arg(long)]
    markdown: bool,
}

fn groups() -> PossibleValuesParser {
    listing().into_iter().map(|section| section.group).collect::<Vec<_>>().into()
}

/// Lists the features.
///
/// # Errors
/// The error of writing to stdout.
pub(super) fn run(args: &FeaturesListArgs) -> anyhow::Result<ExitCode> {
    let is_chosen = |section: &Section| args.group.as_ref().is_none_or(|group| group == section.group);
    let sections: Vec<Section> = listing().into_iter().filter(is_chosen).collect();
    let written = sections.iter().map(if args.markdown { markdown } else { table });
    print_answer(&written.collect::<Vec<_>>().join("\n\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn table(section: &Section) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["name", "default", "what it is", "formula", "unit", "warm-up", "for"]);
    for entry in &section.entries {
        let without = if entry.without.is_empty() { String::new() } else { format!("; {}", entry.without) };
        table.add_row([
            entry.pattern.clone(),
            entry.defaults.clone(),
            format!("{}{without}", entry.about),
            entry.formula.to_owned(),
            entry.unit.to_owned(),
            warm_up(entry),
            used_by(entry),
        ]);
    }
    format!("{}\n{table}", section.group)
}

fn markdown(section: &Section) -> String {
    let row = |cells: [&str; 10]| format!("| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | "));
    let head = [
        "name",
        "without numbers",
        "in the default set",
        "what it is",
        "formula",
        "unit",
        "warm-up, bars",
        "for",
        "where that divides by nothing",
        "other spellings",
    ];
    let quoted = |names: &[&str]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let rows = section.entries.iter().map(|entry| {
        let in_default_set: Vec<&str> = entry.in_default_set.iter().map(String::as_str).collect();
        row([
            &format!("`{}`", entry.pattern),
            &entry.defaults,
            &quoted(&in_default_set),
            entry.about,
            entry.formula,
            entry.unit,
            &warm_up(entry),
            &used_by(entry),
            entry.without,
            &quoted(&entry.aliases),
        ])
    });
    let lines: Vec<String> = [row(head), row(["---"; 10])].into_iter().chain(rows).collect();
    let (first, rest) = section.group.split_at(1);
    format!("## {}{rest}\n\n{}", first.to_uppercase(), lines.join("\n"))
}

fn warm_up(entry: &Entry) -> String {
    entry.warm_up_bars.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
}

fn used_by(entry: &Entry) -> String {
    match (entry.role, entry.scale_free) {
        (FeatureRole::Model, _) => "models and rules".to_owned(),
        (FeatureRole::Rule, Some(free)) => format!("rules; models get {free}"),
        (FeatureRole::Rule, None) => "rules".to_owned(),
    }
}
