//! `oculus-host features list`: prints the feature catalogue as tables, or as Markdown for
//! `docs/features.md`.

use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use comfy_table::{ContentArrangement, Table, presets::UTF8_FULL_CONDENSED};
use oculus_pipeline::features::{CatalogueEntry, CatalogueSection, listing};
use oculus_plugin_api::FeatureRole;

use crate::cli::stdout::print_output;

/// List the features that a job or a rule can name
///
/// Shows the definition, unit and warm-up of each feature. In a name, n, m and k stand for its
/// parameters. Parts in brackets can be omitted.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Example:\n  oculus-host features list --group momentum")]
pub(crate) struct FeaturesListArgs {
    /// Show only this group
    #[arg(long, value_name = "G", value_parser = groups())]
    group: Option<String>,
    /// Print Markdown tables, as in docs/features.md
    #[arg(long)]
    markdown: bool,
}

fn groups() -> PossibleValuesParser {
    listing().into_iter().map(|section| section.group).collect::<Vec<_>>().into()
}

/// Prints the catalogue; the exit code is 0.
///
/// # Errors
/// Returns an error if stdout cannot be written.
pub(super) fn run(args: &FeaturesListArgs) -> anyhow::Result<ExitCode> {
    let is_chosen = |section: &CatalogueSection| args.group.as_ref().is_none_or(|group| group == section.group);
    let sections: Vec<CatalogueSection> = listing().into_iter().filter(is_chosen).collect();
    let written = sections.iter().map(if args.markdown { markdown } else { table });
    print_output(&written.collect::<Vec<_>>().join("\n\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn table(section: &CatalogueSection) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["name", "default numbers", "meaning", "formula", "unit", "warm-up", "used by"]);
    for entry in &section.entries {
        let fallback = if entry.fallback.is_empty() { String::new() } else { format!("; {}", entry.fallback) };
        table.add_row([
            entry.pattern.clone(),
            entry.defaults.clone(),
            format!("{}{fallback}", entry.about),
            entry.formula.to_owned(),
            entry.unit.to_owned(),
            warm_up(entry),
            used_by(entry),
        ]);
    }
    format!("{}\n{table}", section.group)
}

fn markdown(section: &CatalogueSection) -> String {
    // An unescaped `|` would end the cell.
    let row = |cells: [&str; 10]| format!("| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | "));
    let head = [
        "name",
        "default numbers",
        "in the default set",
        "meaning",
        "formula",
        "unit",
        "warm-up, bars",
        "used by",
        "value if it divides by zero",
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
            entry.fallback,
            &quoted(&entry.aliases),
        ])
    });
    let lines: Vec<String> = [row(head), row(["---"; 10])].into_iter().chain(rows).collect();
    let (first, rest) = section.group.split_at(1);
    format!("## {}{rest}\n\n{}", first.to_uppercase(), lines.join("\n"))
}

fn warm_up(entry: &CatalogueEntry) -> String {
    entry.warm_up_bars.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
}

fn used_by(entry: &CatalogueEntry) -> String {
    match (entry.role, entry.scale_free) {
        (FeatureRole::Model, _) => "models and rules".to_owned(),
        (FeatureRole::Rule, Some(free)) => format!("rules; models receive {free}"),
        (FeatureRole::Rule, None) => "rules".to_owned(),
    }
}
