//! The catalogue for the documentation: every kind of feature with its definition.

use oculus_plugin_api::FeatureRole;

use super::catalogue::{GROUPS, Group};
use super::kind::Kind;
use super::name::ALIASES;

/// Letters of parameters in formulas.
const LETTERS: [&str; 4] = ["n", "m", "k", "j"];

/// Kinds that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Name of the group.
    pub group: &'static str,
    /// Its kinds.
    pub entries: Vec<Entry>,
}

/// A kind of feature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Pattern of its names, such as `BB_WIDTH_n[_m]`; `[…]` is optional.
    pub pattern: String,
    /// Parameters where a name carries none, such as `n = 20, m = 2`.
    pub defaults: String,
    /// Names of the default set.
    pub in_default_set: Vec<String>,
    /// Description.
    pub about: &'static str,
    /// Value where its definition divides by zero.
    pub without: &'static str,
    /// Its definition.
    pub formula: &'static str,
    /// Unit of its values.
    pub unit: &'static str,
    /// Bars before the first value, of each feature of the default set; else of the kind's own parameters.
    pub warm_up_bars: Vec<usize>,
    /// Who reads it: models and rules, or rules alone.
    pub role: FeatureRole,
    /// The kind that models get instead of a level.
    pub scale_free: Option<&'static str>,
    /// Other spellings of the name without parameters.
    pub aliases: Vec<&'static str>,
}

/// All kinds, by group.
pub fn listing() -> Vec<Section> {
    let section = |group: &'static Group| {
        let entries = group.kinds.iter().map(|kind| entry(group, kind)).collect();
        Section { group: group.name, entries }
    };
    GROUPS.iter().map(section).collect()
}

fn entry(group: &'static Group, kind: &'static Kind) -> Entry {
    let defaults: Vec<_> = group.features().filter(|feature| feature.kind.stem == kind.stem).collect();
    let own = kind.feature(&[], None);
    let warm_up_of = if defaults.is_empty() { std::slice::from_ref(&own) } else { &defaults };
    let params = LETTERS.iter().zip(kind.defaults).enumerate();
    let params = params.map(|(idx, (letter, &param))| format!("{letter} = {}", kind.written(idx, param)));
    let aliases = ALIASES.iter().filter(|alias| alias.stem == kind.stem);
    Entry {
        pattern: pattern(kind),
        defaults: params.collect::<Vec<_>>().join(", "),
        in_default_set: defaults.iter().map(|feature| feature.name()).collect(),
        about: kind.about,
        without: kind.without,
        formula: kind.formula,
        unit: kind.unit,
        warm_up_bars: warm_up_of.iter().map(|feature| feature.warm_up_bars()).collect(),
        role: kind.role,
        scale_free: kind.scale_free,
        aliases: aliases.map(|alias| alias.spelling).collect(),
    }
}

fn pattern(kind: &Kind) -> String {
    let symbol = if kind.has_benchmark { "_SYMBOL" } else { "" };
    let letters = &LETTERS[..kind.defaults.len().min(LETTERS.len())];
    let (always, sometimes) = letters.split_at(kind.n_shown.min(letters.len()));
    let always: String = always.iter().map(|letter| format!("_{letter}")).collect();
    let sometimes = sometimes.iter().rev().fold(String::new(), |after, letter| format!("[_{letter}{after}]"));
    format!("{}{symbol}{always}{sometimes}", kind.stem)
}
