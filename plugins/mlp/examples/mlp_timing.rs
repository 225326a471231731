//! Measures the times of preparing, fitting and predicting on a table of 800 rows × 47 features,
//! with 100 epochs in batches of 64.
//!
//! `cargo run -p oculus-plugin-mlp --example mlp_timing`

use oculus_plugin_api::testing::Harness;
use oculus_plugin_mlp::Mlp;
use oculus_plugin_support::testing::print_times;

fn main() -> oculus_plugin_api::Result<()> {
    print_times(&Harness::family::<Mlp>(), 800, 47, r#"{"epochs": 100, "batch_size": 64}"#)
}
