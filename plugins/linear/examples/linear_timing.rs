//! Measures the times of preparing, fitting and predicting on a table of 5,000 rows × 80 features.
//!
//! `cargo run -p oculus-plugin-linear --example linear_timing`

use oculus_plugin_api::testing::Harness;
use oculus_plugin_linear::Ridge;
use oculus_plugin_support::testing::print_times;

fn main() -> oculus_plugin_api::Result<()> {
    print_times(&Harness::family::<Ridge>(), 5000, 80, "{}")
}
