//! The devices that the host names itself. A manifest may name others, such as `cuda`.

/// The CPU.
pub const CPU: &str = "cpu";
/// The device that the family selects.
pub const AUTO: &str = "auto";
