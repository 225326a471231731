//! Where a fit runs. Predictions always run on the CPU, so that a score never depends on the machine's graphics card.

use std::sync::OnceLock;

use candle_core::Device;
use oculus_plugin_api::prelude::*;

const CPU: &str = "cpu";
const AUTO: &str = "auto";

/// All devices that some build of this plugin may know.
pub(crate) const CHOICES: [&str; 4] = [AUTO, CPU, "cuda", "mps"];

/// Devices that this build finds on this machine, the CPU first.
pub(crate) fn available() -> &'static [&'static str] {
    static FOUND: OnceLock<Vec<&'static str>> = OnceLock::new();
    FOUND.get_or_init(|| CHOICES.into_iter().filter(|name| *name != AUTO && open(name).is_ok()).collect())
}

/// The device for a fit: the host's `cpu` wins over all, then what the parameter names, then what the host names.
///
/// `auto` is the CPU: a step of a network this small is over before a graphics card has started its first kernel.
///
/// # Errors
/// [`code::DEVICE`](oculus_plugin_api::code::DEVICE), naming those that there are.
pub(crate) fn choose(host: &str, param: &str) -> Result<(&'static str, Device)> {
    let wanted = match (host, param) {
        (CPU, _) | (AUTO, AUTO) => CPU,
        (host, AUTO) => host,
        (_, param) => param,
    };
    let Some(name) = available().iter().find(|name| **name == wanted) else {
        let found = available().join(", ");
        return Err(PluginError::device(format!("device `{wanted}` is not there; this plugin finds {found}")));
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
    fn the_cpu_is_the_default_and_can_be_set_by_the_host() {
        for (host, param) in [("auto", "auto"), ("cpu", "auto"), ("cpu", "cuda"), ("auto", "cpu")] {
            assert_eq!(choose(host, param).unwrap().0, "cpu", "{host} {param}");
        }
    }

    #[test]
    fn a_device_that_is_not_there_is_named_with_those_that_are() {
        let Some(absent) = CHOICES.into_iter().find(|name| *name != AUTO && !available().contains(name)) else {
            unreachable!("no machine has both CUDA and Metal");
        };
        let error = choose("auto", absent).err().unwrap();
        let found = available().join(", ");
        assert_eq!(error.message.as_str(), format!("device `{absent}` is not there; this plugin finds {found}"));
    }
}
