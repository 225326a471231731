//! The device of a fit: those of this machine, and the requested one.

use oculus_plugin_api::{PluginError, Result};
use tch::{Cuda, Device};

/// Devices of this machine, the CPU first.
pub(crate) fn present() -> Vec<Device> {
    let cuda = Cuda::is_available().then_some(Device::Cuda(0));
    let mps = tch::utils::has_mps().then_some(Device::Mps);
    [Device::Cpu].into_iter().chain(cuda).chain(mps).collect()
}

/// Returns the name of a device in manifests and jobs.
pub(crate) fn name(device: Device) -> &'static str {
    match device {
        Device::Cpu => "cpu",
        Device::Cuda(_) => "cuda",
        Device::Mps => "mps",
        Device::Vulkan => "vulkan",
    }
}

/// Returns the devices that a fit may run on: the named one, or all for `auto`. The host's setting overrides the
/// parameter.
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

/// Returns the device with the shortest time, or the CPU without any, and a log line with all times.
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
    fn the_hosts_setting_overrides_the_parameter() {
        let present = [Device::Cpu, Device::Cuda(0)];
        assert_eq!(candidates("cpu", "cuda", &present).unwrap(), [Device::Cpu]);
        assert_eq!(candidates("auto", "cuda", &present).unwrap(), [Device::Cuda(0)]);
        assert_eq!(candidates("cuda", "cpu", &present).unwrap(), [Device::Cuda(0)]);
        assert_eq!(candidates("auto", "auto", &present).unwrap(), present);
    }

    #[test]
    fn the_fastest_device_is_chosen_and_all_times_are_logged() {
        let (device, why) = choice(vec![(Device::Cpu, 0.0123), (Device::Cuda(0), 0.004)]);
        assert_eq!(device, Device::Cuda(0));
        assert_eq!(why, "device cuda: one update takes 4.0 ms on cuda, 12.3 ms on cpu");
    }

    #[test]
    fn a_missing_device_is_refused_with_the_available_devices() {
        let error = candidates("auto", "mps", &[Device::Cpu, Device::Cuda(0)]).unwrap_err();
        assert_eq!(error.code, code::DEVICE);
        assert_eq!(error.message, "device `mps`: this machine has cpu, cuda; or say auto");
    }
}
