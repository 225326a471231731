//! Runs independent pieces of work on a few threads, with results in the order of the pieces.

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

/// Runs independent pieces of work on up to `n_side_by_side` threads, and returns the results in
/// the order of the pieces.
///
/// The results do not depend on the number of threads.
pub fn side_by_side<P: Sync, R: Send>(n_side_by_side: usize, pieces: &[P], work: impl Fn(&P) -> R + Sync) -> Vec<R> {
    let n_threads = n_side_by_side.clamp(1, pieces.len().max(1));
    if n_threads == 1 {
        return pieces.iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(pieces.len()));
    std::thread::scope(|scope| {
        for _ in 0..n_threads {
            scope.spawn(|| {
                while let Some((idx, piece)) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|i| Some((i, pieces.get(i)?)))
                {
                    let result = work(piece);
                    done.lock().push((idx, result));
                }
            });
        }
    });
    let mut done = done.into_inner();
    done.sort_by_key(|(idx, _)| *idx);
    done.into_iter().map(|(_, result)| result).collect()
}
