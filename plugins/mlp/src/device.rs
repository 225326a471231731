//! The device of a fit. Predictions always run on the CPU, so that a score never depends on the
//! machine's GPU.

use std::sync::OnceLock;

use candle_core::Device;
use oculus_plugin_api::prelude::*;

const CPU: &str = "cpu";
const AUTO: &str = "auto";

/// Device names that the parameter accepts, whether or not this build supports them.
pub(crate) const CHOICES: [&str; 4] = [AUTO, CPU, "cuda", "mps"];

/// Returns the devices that this build can open on this machine, the CPU first.
pub(crate) fn available() -> &'static [&'static str] {
    static FOUND: OnceLock<Vec<&'static str>> = OnceLock::new();
    FOUND.get_or_init(|| CHOICES.into_iter().filter(|name| *name != AUTO && open(name).is_ok()).collect())
}

/// Chooses the device of a fit. If the host's setting is `cpu`, the fit uses the CPU. Otherwise a
/// device named in the parameter has priority over the device of the host.
///
/// `auto` selects the CPU: for such a small network, a whole step on the CPU is faster than the
/// start of one kernel on a GPU.
///
/// # Errors
/// Returns [`code::DEVICE`](oculus_plugin_api::code::DEVICE) if the chosen device is not available
/// or cannot be opened. The message lists the available devices.
pub(crate) fn choose(host: &str, param: &str) -> Result<(&'static str, Device)> {
    let requested = match (host, param) {
        (CPU, _) | (AUTO, AUTO) => CPU,
        (host, AUTO) => host,
        (_, param) => param,
    };
    let Some(name) = available().iter().find(|name| **name == requested) else {
        let found = available().join(", ");
        return Err(PluginError::device(format!("device `{requested}` is not available; available devices: {found}")));
    };
    let device = open(name).map_err(|error| PluginError::device(format!("device `{name}`: {error}")))?;
    Ok((name, device))
}

fn open(name: &str) -> candle_core::Result<Device> {
    match name {
        CPU => Ok(Device::Cpu),
        "cuda" => Device::new_cuda(0),
        _ => Device::new_metal(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_is_the_default_and_the_host_can_force_it() {
        for (host, param) in [("auto", "auto"), ("cpu", "auto"), ("cpu", "cuda"), ("auto", "cpu")] {
            assert_eq!(choose(host, param).unwrap().0, "cpu", "{host} {param}");
        }
    }

    #[test]
    fn a_missing_device_is_reported_with_the_available_ones() {
        let Some(absent) = CHOICES.into_iter().find(|name| *name != AUTO && !available().contains(name)) else {
            unreachable!("no machine has both CUDA and Metal");
        };
        let error = choose("auto", absent).err().unwrap();
        let found = available().join(", ");
        assert_eq!(error.message.as_str(), format!("device `{absent}` is not available; available devices: {found}"));
    }
}
