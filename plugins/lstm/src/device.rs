//! Where a fit runs: what this machine has, what was asked for.

use oculus_plugin_api::{PluginError, Result};
use tch::{Cuda, Device};

/// Devices of this machine, the CPU first.
pub(crate) fn present() -> Vec<Device> {
    let cuda = Cuda::is_available().then_some(Device::Cuda(0));
    let mps = tch::utils::has_mps().then_some(Device::Mps);
    [Device::Cpu].into_iter().chain(cuda).chain(mps).collect()
}

/// The name that manifests and jobs know a device by.
pub(crate) fn name(device: Device) -> &'static str {
    match device {
        Device::Cpu => "cpu",
        Device::Cuda(_) => "cuda",
        Device::Mps => "mps",
        Device::Vulkan => "vulkan",
    }
}

/// Devices that a fit may run on: one that is named, or all for `auto`. What the host says stands above the parameter.
///
/// # Errors
/// [`code::DEVICE`](oculus_plugin_api::code::DEVICE) for a device that is not there, naming those that are.
pub(crate) fn candidates(host: &str, param: &str, present: &[Device]) -> Result<Vec<Device>> {
    let wanted = if host == "auto" { param } else { host };
    if wanted == "auto" {
        return Ok(present.to_vec());
    }
    let named = present.iter().copied().find(|&device| name(device) == wanted).map(|device| vec![device]);
    named.ok_or_else(|| {
        let names: Vec<_> = present.iter().map(|&device| name(device)).collect();
        PluginError::device(format!("device `{wanted}`: this machine has {}; or say auto", names.join(", ")))
    })
}

/// The device of the shortest time, and the line of the log that says so. Of none, the CPU.
pub(crate) fn choice(mut timed: Vec<(Device, f64)>) -> (Device, String) {
    timed.sort_by(|(_, a), (_, b)| a.total_cmp(b));
    let device = timed.first().map_or(Device::Cpu, |(device, _)| *device);
    let times: Vec<_> =
        timed.iter().map(|(device, seconds)| format!("{:.1} ms on {}", 1e3 * seconds, name(*device))).collect();
    (device, format!("device {}: one update takes {}", name(device), times.join(", ")))
}

/// Keeps libtorch to one thread, in the calling thread: more would add in another order, and change bits.
pub(crate) fn use_one_thread() {
    tch::set_num_threads(1);
}

#[cfg(test)]
mod tests {
    use super::*;
    use oculus_plugin_api::code;

    #[test]
    fn the_host_s_word_stands_above_the_parameter_s() {
        let present = [Device::Cpu, Device::Cuda(0)];
        assert_eq!(candidates("cpu", "cuda", &present).unwrap(), [Device::Cpu]);
        assert_eq!(candidates("auto", "cuda", &present).unwrap(), [Device::Cuda(0)]);
        assert_eq!(candidates("cuda", "cpu", &present).unwrap(), [Device::Cuda(0)]);
        assert_eq!(candidates("auto", "auto", &present).unwrap(), present);
    }

    #[test]
    fn the_quickest_device_is_chosen_and_all_times_are_told() {
        let (device, why) = choice(vec![(Device::Cpu, 0.0123), (Device::Cuda(0), 0.004)]);
        assert_eq!(device, Device::Cuda(0));
        assert_eq!(why, "device cuda: one update takes 4.0 ms on cuda, 12.3 ms on cpu");
    }

    #[test]
    fn a_device_that_is_not_there_is_named_with_those_that_are() {
        let error = candidates("auto", "mps", &[Device::Cpu, Device::Cuda(0)]).unwrap_err();
        assert_eq!(error.code, code::DEVICE);
        assert_eq!(error.message, "device `mps`: this machine has cpu, cuda; or say auto");
    }
}
