//! The place of the last panic of each thread.
//!
//! `catch_unwind` returns only the message of a panic. A panic hook also receives its place. A
//! plugin has its own copy of the standard library, so the hook does not affect the host.

use std::cell::RefCell;
use std::panic::{set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

static INSTALLED: Once = Once::new();

/// Starts to record places, and forgets the last place of this thread. The earlier hook still runs
/// and prints the panic.
pub(crate) fn record() {
    INSTALLED.call_once(|| {
        let earlier = take_hook();
        set_hook(Box::new(move |info| {
            if let Some(location) = info.location() {
                let place = format!("{}:{}", location.file(), location.line());
                // The error is ignored: a thread without thread-local storage is about to end.
                let _ = PLACE.try_with(|last| last.replace(Some(place)));
            }
            earlier(info);
        }));
    });
    take();
}

/// Returns the place of the last panic of this thread since [`record`]. It is `None` if the panic
/// began on another thread.
pub(crate) fn take() -> Option<String> {
    PLACE.try_with(RefCell::take).ok().flatten()
}
