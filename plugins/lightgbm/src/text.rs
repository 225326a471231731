//! LightGBM's model text: checks a text before it is loaded, and adds one line to its header.
//!
//! The added line, `oculus_columns`, lists all columns of the table on which the model was fitted.
//! LightGBM ignores unknown header lines, so its other tools can load the text unchanged. Names are
//! escaped ([`escape_name`]), because the text separates them with spaces.

use oculus_plugin_api::{PluginError, Result, escape_name, unescape_name};

const COLUMNS: &str = "oculus_columns=";
const FEATURES: &str = "feature_names=";
const SIZES: &str = "tree_sizes=";

/// Adds the line with the column names to the header.
pub(crate) fn with_columns(text: &str, columns: &[String]) -> String {
    let columns: Vec<_> = columns.iter().map(|name| escape_name(name)).collect();
    text.replacen(&format!("\n{SIZES}"), &format!("\n{COLUMNS}{}\n{SIZES}", columns.join(" ")), 1)
}

/// The header fields of a model text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TextHeader {
    /// Names of the features, in the order in which the trees number them.
    pub(crate) features: Vec<String>,
    /// Names of the columns of the table. If another tool wrote the text, these names equal
    /// `features`.
    pub(crate) columns: Vec<String>,
}

impl TextHeader {
    /// Reads the header and checks that the trees are complete.
    ///
    /// The check is needed because LightGBM does not verify the tree sizes in the header.
    ///
    /// # Errors
    /// Returns [`code::MODEL`](oculus_plugin_api::code::MODEL) if the text is not a complete binary
    /// classifier of LightGBM.
    pub(crate) fn read(text: &str) -> Result<Self> {
        let invalid = |reason: &str| PluginError::model(format!("invalid text of a binary LightGBM model: {reason}"));
        if !text.starts_with("tree\n") {
            return Err(invalid("it does not start with `tree`"));
        }
        let (header, trees) = text.split_once("\nTree=0\n").ok_or_else(|| invalid("it has no trees"))?;
        let value = |key: &str| header.lines().find_map(|line| line.strip_prefix(key));
        let names = |key: &str| {
            let names = value(key).map(|names| names.split(' ').map(unescape_name).collect::<Result<Vec<_>>>());
            names.transpose()
        };

        if value("objective=").and_then(|objective| objective.split(' ').next()) != Some("binary") {
            return Err(invalid("its objective is not `binary`"));
        }
        if [value("num_class="), value("num_tree_per_iteration=")] != [Some("1"), Some("1")] {
            return Err(invalid("it has more than one score per row"));
        }
        let features = names(FEATURES)?.ok_or_else(|| invalid("it has no feature names"))?;
        let (trees, rest) = trees.split_once("\nend of trees\n").ok_or_else(|| invalid("it is truncated"))?;
        if !rest.contains("\nend of parameters\n") {
            return Err(invalid("it is truncated"));
        }
        let sizes = value(SIZES).unwrap_or_default().split(' ').map(str::parse::<usize>);
        // The sizes come from a file that may be damaged, so their sum could overflow.
        let n_bytes = sizes.into_iter().try_fold(0_usize, |sum, size| sum.checked_add(size.ok()?));
        // The sizes include the line `Tree=0` and the last line break, which the two splits above
        // removed.
        if n_bytes != Some("Tree=0\n".len() + trees.len() + 1) {
            return Err(invalid("the sizes of its trees differ from `tree_sizes`"));
        }
        let columns = names(COLUMNS)?.unwrap_or_else(|| features.clone());
        Ok(Self { features, columns })
    }
}
