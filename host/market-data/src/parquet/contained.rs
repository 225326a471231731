//! A panic of foreign code on this thread, caught and kept off stderr.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static IS_CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// What `work` gives; `None` where it panics on this thread. Other threads' panics are told as ever.
///
/// All that `work` owns is dropped with the panic, and it may change nothing that is seen outside.
pub(super) fn contained<R>(work: impl FnOnce() -> R) -> Option<R> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !IS_CONTAINED.get() {
                usual(panic);
            }
        }));
    });
    let was_contained = IS_CONTAINED.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(work)).ok();
    IS_CONTAINED.set(was_contained);
    result
}
