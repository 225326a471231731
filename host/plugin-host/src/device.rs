//! The device names that the host uses. A manifest may declare others, such as `cuda`.

/// The CPU.
pub const CPU: &str = "cpu";
/// The placeholder for the device that the family selects.
pub const AUTO: &str = "auto";
