//! Measures the times of preparing, fitting and predicting on a table of 1,000 rows × 40 features,
//! with 150 rounds of 7 leaves.
//!
//! `cargo run -p oculus-plugin-lightgbm --example lightgbm_timing`

use oculus_plugin_api::testing::Harness;
use oculus_plugin_lightgbm::LightGbm;
use oculus_plugin_support::testing::print_times;

fn main() -> oculus_plugin_api::Result<()> {
    print_times(&Harness::family::<LightGbm>(), 1000, 40, r#"{"num_iterations": 150, "num_leaves": 7}"#)
}
