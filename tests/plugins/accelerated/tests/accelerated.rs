//! The family does on the CPU what every family must.

use oculus_test_accelerated::Accelerated;

oculus_plugin_api::conformance!(Accelerated);
