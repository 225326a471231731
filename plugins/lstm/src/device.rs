//! Finds the devices of this machine and chooses the device of a fit.

use oculus_plugin_api::{PluginError, Result};
use tch::{Cuda, Device};

/// Returns the devices of this machine, the CPU first.
pub(crate) fn present() -> Vec<Device> {
    let cuda = Cuda::is_available().then_some(Device::Cuda(0));
    let mps = tch::utils::has_mps().then_some(Device::Mps);
    [Device::Cpu].into_iter().chain(cuda).chain(mps).collect()
}

/// Returns the name that manifests and jobs use for a device.
pub(crate) fn name(device: Device) -> &'static str {
    match device {
        Device::Cpu => "cpu",
        Device::Cuda(_) => "cuda",
        Device::Mps => "mps",
        Device::Vulkan => "vulkan",
    }
}

/// Returns the devices that a fit may run on: the named device, or all devices for `auto`. The
/// host's setting overrides the parameter.
///
/// # Errors
/// Returns [`code::DEVICE`](oculus_plugin_api::code::DEVICE), if the device is missing. The message
/// lists the available devices.
pub(crate) fn candidates(host: &str, param: &str, present: &[Device]) -> Result<Vec<Device>> {
    let requested = if host == "auto" { param } else { host };
    if requested == "auto" {
        return Ok(present.to_vec());
    }
    let named = present.iter().copied().find(|&device| name(device) == requested).map(|device| vec![device]);
    named.ok_or_else(|| {
        let names: Vec<_> = present.iter().map(|&device| name(device)).collect();
        PluginError::device(format!(
            "device `{requested}` is not available; available devices: auto, {}",
            names.join(", ")
        ))
    })
}

/// Returns two values: the device with the shortest time (the CPU if no device was timed), and a
/// log line with all times.
pub(crate) fn fastest(mut timed: Vec<(Device, f64)>) -> (Device, String) {
    // The sort is stable and the CPU is the first candidate, so the CPU is selected if its time
    // equals the shortest time.
    timed.sort_by(|(_, a), (_, b)| a.total_cmp(b));
    let device = timed.first().map_or(Device::Cpu, |(device, _)| *device);
    let times: Vec<_> =
        timed.iter().map(|(device, seconds)| format!("{:.1} ms on {}", 1e3 * seconds, name(*device))).collect();
    (device, format!("device {}: one update takes {}", name(device), times.join(", ")))
}

/// Limits libtorch to one thread for calls from this thread. With more threads, libtorch would add
/// numbers in another order, which would change the bits of the results.
pub(crate) fn use_one_thread() {
    tch::set_num_threads(1);
}

#[cfg(test)]
mod tests {
    use super::*;
    use oculus_plugin_api::code;

    #[test]
    fn the_setting_of_the_host_overrides_the_parameter() {
        let present = [Device::Cpu, Device::Cuda(0)];
        assert_eq!(candidates("cpu", "cuda", &present).unwrap(), [Device::Cpu]);
        assert_eq!(candidates("auto", "cuda", &present).unwrap(), [Device::Cuda(0)]);
        assert_eq!(candidates("cuda", "cpu", &present).unwrap(), [Device::Cuda(0)]);
        assert_eq!(candidates("auto", "auto", &present).unwrap(), present);
    }

    #[test]
    fn the_fastest_device_is_chosen_and_all_times_are_logged() {
        let (device, log_line) = fastest(vec![(Device::Cpu, 0.0123), (Device::Cuda(0), 0.004)]);
        assert_eq!(device, Device::Cuda(0));
        assert_eq!(log_line, "device cuda: one update takes 4.0 ms on cuda, 12.3 ms on cpu");
    }

    #[test]
    fn a_missing_device_is_rejected_with_the_available_devices() {
        let error = candidates("auto", "mps", &[Device::Cpu, Device::Cuda(0)]).unwrap_err();
        assert_eq!(error.code, code::DEVICE);
        assert_eq!(error.message, "device `mps` is not available; available devices: auto, cpu, cuda");
    }
}
