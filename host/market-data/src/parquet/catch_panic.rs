//! Catches panics of third-party code on this thread, without a report on stderr.
//!
//! In: a closure. Out: the result of the closure, or `None` if it panics. Invariant: panics of
//! other code are reported as usual.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static IS_CATCHING: Cell<bool> = const { Cell::new(false) };
}

/// Returns the result of `work`, or `None` if it panics on this thread. Panics of other threads are
/// reported as usual.
///
/// A panic drops everything that `work` owns. `work` must not modify any state that is visible
/// outside, because a panic could leave that state inconsistent.
pub(super) fn catch_panic<R>(work: impl FnOnce() -> R) -> Option<R> {
    // The panic hook is global, so it is replaced only once. The new hook suppresses the report of
    // a thread only while that thread runs `work`.
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !IS_CATCHING.get() {
                previous(panic);
            }
        }));
    });
    // Calls can be nested: after the inner call returns, the outer call still suppresses reports.
    let was_catching = IS_CATCHING.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(work)).ok();
    IS_CATCHING.set(was_catching);
    result
}
