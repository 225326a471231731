//! Tests that the family meets every claim of the plugin API on the CPU.

use oculus_test_accelerated::Accelerated;

oculus_plugin_api::conformance!(Accelerated);
