//! Runs independent tasks on a few threads.

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

/// Runs two tasks, in parallel if `n_parallel` is at least 2, and otherwise one after the other.
///
/// The results do not depend on `n_parallel`.
pub fn join<A, B: Send>(n_parallel: usize, first: impl FnOnce() -> A, second: impl FnOnce() -> B + Send) -> (A, B) {
    if n_parallel < 2 {
        let first = first();
        return (first, second());
    }
    std::thread::scope(|scope| {
        let second = scope.spawn(second);
        let first = first();
        (first, second.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// Runs `work` on each item, on up to `n_parallel` threads, and returns the results in the order of
/// the items.
///
/// The results do not depend on the number of threads.
pub fn parallel_map<P: Sync, R: Send>(n_parallel: usize, items: &[P], work: impl Fn(&P) -> R + Sync) -> Vec<R> {
    let n_threads = n_parallel.clamp(1, items.len().max(1));
    if n_threads == 1 {
        return items.iter().map(work).collect();
    }
    // `Relaxed` is sufficient: the counter only distributes indices, and the results are published
    // by the mutex.
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(items.len()));
    std::thread::scope(|scope| {
        for _ in 0..n_threads {
            scope.spawn(|| {
                while let Some((idx, item)) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|i| Some((i, items.get(i)?)))
                {
                    // The result is computed before the lock is taken, so that threads do not wait
                    // for each other's work.
                    let result = work(item);
                    done.lock().push((idx, result));
                }
            });
        }
    });
    // The threads finish in any order.
    let mut done = done.into_inner();
    done.sort_by_key(|(idx, _)| *idx);
    done.into_iter().map(|(_, result)| result).collect()
}
