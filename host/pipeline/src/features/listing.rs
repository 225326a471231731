//! Lists the catalogue for the documentation: every kind of feature with its definition.

use oculus_plugin_api::FeatureRole;

use super::catalogue::{GROUPS, Group};
use super::kind::FeatureKind;
use super::name::ALIASES;

/// Letters of the parameters in formulas.
const LETTERS: [&str; 4] = ["n", "m", "k", "j"];

/// A group of related kinds of features.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogueSection {
    /// Name of the group.
    pub group: &'static str,
    /// Kinds of the group.
    pub entries: Vec<CatalogueEntry>,
}

/// A kind of feature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogueEntry {
    /// Pattern of the names, such as `BB_WIDTH_n[_m]`; `[…]` is optional.
    pub pattern: String,
    /// Defaults of the parameters that a name may omit, such as `n = 20, m = 2`.
    pub defaults: String,
    /// Names of the default features of this kind.
    pub in_default_set: Vec<String>,
    /// Description in one line.
    pub about: &'static str,
    /// Value of the feature where its formula divides by zero; empty if the formula never does.
    pub fallback: &'static str,
    /// Formula of the values, with the parameters of the pattern.
    pub formula: &'static str,
    /// Unit of the values.
    pub unit: &'static str,
    /// Warm-up in bars of each default feature of this kind. If the kind has no default feature,
    /// the list has one value: the warm-up with the default parameters.
    pub warm_up_bars: Vec<usize>,
    /// Users of the feature: models and rules, or rules only.
    pub role: FeatureRole,
    /// Stem of the kind that models receive instead of this kind, if this kind is a level.
    pub scale_free: Option<&'static str>,
    /// Other spellings of the stem.
    pub aliases: Vec<&'static str>,
}

/// Returns all kinds of features, by group.
pub fn listing() -> Vec<CatalogueSection> {
    let section = |group: &'static Group| {
        let entries = group.kinds.iter().map(|kind| entry(group, kind)).collect();
        CatalogueSection { group: group.name, entries }
    };
    GROUPS.iter().map(section).collect()
}

fn entry(group: &'static Group, kind: &'static FeatureKind) -> CatalogueEntry {
    let defaults: Vec<_> = group.features().filter(|feature| feature.kind.stem == kind.stem).collect();
    let unnumbered = kind.feature(&[], None);
    let warm_up_of = if defaults.is_empty() { std::slice::from_ref(&unnumbered) } else { &defaults };
    let params = LETTERS.iter().zip(kind.defaults).enumerate();
    let params = params.map(|(idx, (letter, &param))| format!("{letter} = {}", kind.format_param(idx, param)));
    let aliases = ALIASES.iter().filter(|alias| alias.stem == kind.stem);
    CatalogueEntry {
        pattern: pattern(kind),
        defaults: params.collect::<Vec<_>>().join(", "),
        in_default_set: defaults.iter().map(|feature| feature.name()).collect(),
        about: kind.about,
        fallback: kind.fallback,
        formula: kind.formula,
        unit: kind.unit,
        warm_up_bars: warm_up_of.iter().map(|feature| feature.warm_up_bars()).collect(),
        role: kind.role,
        scale_free: kind.scale_free,
        aliases: aliases.map(|alias| alias.spelling).collect(),
    }
}

fn pattern(kind: &FeatureKind) -> String {
    let symbol = if kind.has_benchmark { "_SYMBOL" } else { "" };
    let letters = &LETTERS[..kind.defaults.len().min(LETTERS.len())];
    let (always, optional) = letters.split_at(kind.n_shown.min(letters.len()));
    let always: String = always.iter().map(|letter| format!("_{letter}")).collect();
    // Only trailing parameters may be omitted, so the brackets are nested: `[_n[_m]]`.
    let optional = optional.iter().rev().fold(String::new(), |after, letter| format!("[_{letter}{after}]"));
    format!("{}{symbol}{always}{optional}", kind.stem)
}
