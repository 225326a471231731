//! The family's parameters.

use oculus_plugin_api::prelude::*;

/// Name of the parameter that sets the strength of the penalty.
pub(crate) const L2: &str = "l2";
/// Name of the parameter that limits standardised values.
pub(crate) const CLIP: &str = "clip";

/// Returns the manifest of the family.
///
/// The default penalty is that of scikit-learn's `LogisticRegression(C=0.002)`, because
/// `l2 = 1 / C`. It is strong: tables of daily bars have dozens of correlated features and little
/// signal.
pub(crate) fn manifest() -> Manifest {
    Manifest::new("linear", env!("CARGO_PKG_VERSION"))
        .named(["Linear", "ridge"])
        .prefixed("linear_")
        .leads_search()
        .concurrent_fits()
        .reported_as_baseline()
        .supports_base_score()
        .saves_as("json")
        .param(
            Param::float(L2, 500.0)
                .range(1e-3, 1e9)
                .search_log(20.0, 20_000.0)
                .help("L2 penalty on the weights of standardised features; 1 / C of scikit-learn"),
        )
        .param(
            Param::float(CLIP, 4.0)
                .range(0.5, 100.0)
                .help("number of standard deviations at which a standardised feature is clipped"),
        )
}
