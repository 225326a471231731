//! LightGBM's text of a model: what must be in it, and the one line that we add.
//!
//! The added line of the header, `oculus_columns`, names all columns of the table that the model was fitted on.
//! LightGBM reads over header lines that it does not know, so the text loads in its other tools as it is.

use oculus_plugin_api::{PluginError, Result};

const COLUMNS: &str = "oculus_columns=";
const FEATURES: &str = "feature_names=";
const SIZES: &str = "tree_sizes=";

/// Adds the line that names the columns.
pub(crate) fn with_columns(text: &str, columns: &[String]) -> String {
    text.replacen(&format!("\n{SIZES}"), &format!("\n{COLUMNS}{}\n{SIZES}", columns.join(" ")), 1)
}

/// What a text says of itself.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outline {
    /// Names of the features, in the order of the trees.
    pub(crate) features: Vec<String>,
    /// Names of the columns of the table; the features in a text that was not made by this plugin.
    pub(crate) columns: Vec<String>,
}

impl Outline {
    /// Reads the header, and checks that the trees are whole: LightGBM itself trusts the sizes that the text gives.
    ///
    /// # Errors
    /// [`code::MODEL`](oculus_plugin_api::code::MODEL) for anything that is no binary classifier of LightGBM.
    pub(crate) fn read(text: &str) -> Result<Self> {
        let refused = |why: &str| PluginError::model(format!("no text of a binary LightGBM model: {why}"));
        if !text.starts_with("tree\n") {
            return Err(refused("it does not start with `tree`"));
        }
        let (header, trees) = text.split_once("\nTree=0\n").ok_or_else(|| refused("it has no trees"))?;
        let value = |key: &str| header.lines().find_map(|line| line.strip_prefix(key));
        let names = |key: &str| value(key).map(|names| names.split(' ').map(str::to_owned).collect::<Vec<_>>());

        if value("objective=").and_then(|objective| objective.split(' ').next()) != Some("binary") {
            return Err(refused("its objective is not `binary`"));
        }
        if [value("num_class="), value("num_tree_per_iteration=")] != [Some("1"), Some("1")] {
            return Err(refused("it has more than one score a row"));
        }
        let features = names(FEATURES).ok_or_else(|| refused("it names no features"))?;
        let (trees, rest) = trees.split_once("\nend of trees\n").ok_or_else(|| refused("it is cut off"))?;
        if !rest.contains("\nend of parameters\n") {
            return Err(refused("it is cut off"));
        }
        let sizes = value(SIZES).unwrap_or_default().split(' ').map(str::parse::<usize>);
        let n_bytes = sizes.into_iter().try_fold(0_usize, |sum, size| sum.checked_add(size.ok()?));
        // The first line was cut off above, and the line break before the end belongs to the last tree.
        if n_bytes != Some("Tree=0\n".len() + trees.len() + 1) {
            return Err(refused("its trees are of other sizes than it says"));
        }
        let columns = names(COLUMNS).unwrap_or_else(|| features.clone());
        Ok(Self { features, columns })
    }
}
