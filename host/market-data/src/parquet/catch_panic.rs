//! Catches panics of foreign code on this thread, without a report on stderr.
//!
//! In: work. Out: its result, or `None` if it panics. Invariant: panics of other code are reported
//! as before.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static IS_CATCHING: Cell<bool> = const { Cell::new(false) };
}

/// Returns the result of `work`; `None` if it panics on this thread. Panics of other threads are
/// reported as before.
///
/// A panic drops everything that `work` owns, and `work` must not change anything that is visible
/// outside.
pub(super) fn catch_panic<R>(work: impl FnOnce() -> R) -> Option<R> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !IS_CATCHING.get() {
                usual(panic);
            }
        }));
    });
    let was_catching = IS_CATCHING.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(work)).ok();
    IS_CATCHING.set(was_catching);
    result
}
