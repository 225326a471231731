//! A wall clock that can be set forward, for the tests of suspended machines.
//!
//! A program that is started with `LD_PRELOAD=<this library>` reads the wall clock of the system
//! plus the seconds in the file that `OCULUS_TEST_CLOCK` names. Its monotonic clock is unchanged,
//! like that of a machine that was suspended. Other systems than Linux have no such variable, so
//! the library is empty there.
#![cfg(target_os = "linux")]

use libc::{CLOCK_REALTIME, SYS_clock_gettime, c_int, clockid_t, syscall, timespec};

/// Reads a clock, like the function of the C library, which this function replaces.
///
/// # Safety
/// `time` must be valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: clockid_t, time: *mut timespec) -> c_int {
    // SAFETY: these are the arguments of this system call, and the caller has provided `time`.
    let status = unsafe { syscall(SYS_clock_gettime, clock, time) };
    if status == 0 && clock == CLOCK_REALTIME {
        // SAFETY: the system call has written to `time`.
        unsafe { (*time).tv_sec += seconds_ahead() };
    }
    // The status of this system call is 0 or -1.
    status as c_int
}

/// Returns the content of the file; 0 if there is none.
fn seconds_ahead() -> i64 {
    let path = std::env::var_os("OCULUS_TEST_CLOCK").unwrap_or_default();
    std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}
