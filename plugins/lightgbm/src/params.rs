//! What can be set, and how it is said to LightGBM. Names are LightGBM's own.

use std::ffi::CString;

use oculus_plugin_api::prelude::*;

/// The parameter that counts rounds.
pub(crate) const ROUNDS: &str = "num_iterations";
/// The parameter that says how many rounds without gain end the fit.
pub(crate) const PATIENCE: &str = "early_stopping_round";
const MIN_CHILD: &str = "min_data_in_leaf";

/// Settings of every dataset and model.
///
/// `deterministic` alone still lets a stopwatch choose between two histogram layouts; `force_col_wise` does not.
/// `feature_pre_filter` would drop features by the `min_data_in_leaf` of the moment of binning. Bundling would merge
/// features that never meet on the rows learnt from, but may elsewhere.
const ALWAYS: &str = "deterministic=true force_col_wise=true feature_pre_filter=false enable_bundle=false num_threads=1 \
                      verbosity=-1";

/// Who the family is and what it takes. The defaults are a prior for tables of about a thousand rows and hardly any
/// signal: small trees, slow steps, half of the features each.
///
/// A hundred rounds: on 130 folds of real two-year panels no number of rounds from 10 to 200 differs from 150 in mean
/// validation AUC by more than 1.3 standard errors, while 300 and 400 lose by more than two.
pub(crate) fn manifest() -> Manifest {
    Manifest::new("lightgbm", env!("CARGO_PKG_VERSION"))
        .named(["LightGBM", "lightgbm", "lgbm"])
        .prefixed("lgbm_")
        .leads_search()
        .concurrent_fits()
        .rounds_param(ROUNDS)
        .saves_as("txt")
        .param(Param::int(ROUNDS, 100).range(1, 10_000).search_log(25, 250).help("trees at most"))
        .param(Param::int("num_leaves", 7).range(2, 1024).search_log(3, 31).help("leaves of a tree"))
        .param(Param::float("learning_rate", 0.03).range(1e-4, 1.0).search_log(0.01, 0.1).help("step of a tree"))
        .param(
            Param::int(MIN_CHILD, 0)
                .range(0, 1_000_000)
                .search_log(10, 120)
                .help("rows that a leaf needs; 0 for an eighth of the training rows, at most 60"),
        )
        .param(
            Param::float("feature_fraction", 0.5)
                .range(0.01, 1.0)
                .search(0.2, 1.0)
                .help("share of the features that a tree may use"),
        )
        .param(
            Param::float("bagging_fraction", 1.0)
                .range(0.1, 1.0)
                .search(0.5, 1.0)
                .help("share of the rows that a tree is grown on"),
        )
        .param(Param::float("lambda_l1", 0.0).range(0.0, 1e6).help("L1 penalty of leaf values"))
        .param(Param::float("lambda_l2", 5.0).range(0.0, 1e6).search_log(0.5, 50).help("L2 penalty of leaf values"))
        .param(
            Param::int(PATIENCE, 30)
                .range(1, 10_000)
                .help("rounds without a lower loss on the rows for early stopping, after which the best is restored"),
        )
}

/// What datasets are made with.
pub(crate) fn binning() -> CString {
    engine_text(ALWAYS.to_owned())
}

/// What a model predicts with.
pub(crate) const PREDICTING: &str = "num_threads=1 verbosity=-1";

/// What one fit is made with.
///
/// The metric of early stopping is the logarithmic loss: it moves at every round, where the AUC of a tail with a dozen
/// positives goes in steps and picks a round by luck; and it keeps the output a probability.
///
/// # Errors
/// None for parameters of the [`manifest`].
pub(crate) fn training(task: &Task<'_>, params: &Params) -> Result<CString> {
    let bagging_fraction = params.float("bagging_fraction")?;
    let settings = [
        ("objective", "binary".to_owned()),
        ("metric", if task.tune_rows.is_empty() { "none" } else { "binary_logloss" }.to_owned()),
        ("seed", engine_seed(task.seed).to_string()),
        ("num_leaves", params.int("num_leaves")?.to_string()),
        ("learning_rate", params.float("learning_rate")?.to_string()),
        (MIN_CHILD, min_child(params.count(MIN_CHILD)?, task.train_rows.len()).to_string()),
        ("feature_fraction", params.float("feature_fraction")?.to_string()),
        ("bagging_fraction", bagging_fraction.to_string()),
        ("bagging_freq", u8::from(bagging_fraction < 1.0).to_string()),
        ("lambda_l1", params.float("lambda_l1")?.to_string()),
        ("lambda_l2", params.float("lambda_l2")?.to_string()),
    ];
    let words = settings.iter().map(|(name, value)| format!(" {name}={value}"));
    Ok(engine_text(ALWAYS.to_owned() + &words.collect::<String>()))
}

/// Whether each round draws rows or features of its own.
///
/// # Errors
/// None for parameters of the [`manifest`].
pub(crate) fn draws(params: &Params) -> Result<bool> {
    Ok(params.float("feature_fraction")? < 1.0 || params.float("bagging_fraction")? < 1.0)
}

/// Rows that a leaf needs.
fn min_child(given: usize, n_train: usize) -> usize {
    match given {
        0 => (n_train / 8).clamp(1, 60),
        given => given,
    }
}

/// LightGBM's seeds are non-negative 32-bit numbers.
fn engine_seed(seed: u64) -> u32 {
    ((seed >> 32) as u32 ^ seed as u32) & 0x7fff_ffff
}

fn engine_text(settings: String) -> CString {
    // Numbers and our own words hold no zero byte.
    CString::new(settings).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_needs_an_eighth_of_the_rows_at_most_sixty() {
        assert_eq!([1, 80, 480, 5000].map(|n_train| min_child(0, n_train)), [1, 10, 60, 60]);
        assert_eq!(min_child(3, 5000), 3);
    }

    #[test]
    fn seeds_that_differ_in_one_half_only_stay_different() {
        assert_ne!(engine_seed(1), engine_seed(1 << 32 | 2));
        assert_ne!(engine_seed(7), engine_seed(8));
        assert!(i32::try_from(engine_seed(u64::MAX - 1)).is_ok());
    }
}
