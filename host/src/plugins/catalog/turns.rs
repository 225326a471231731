//! A limit to how much is done at once, by threads that wait for their turn.

use std::sync::{Condvar, Mutex, PoisonError};

/// Turns that are free.
pub struct Turns {
    n_free: Mutex<usize>,
    freed: Condvar,
}

/// A turn, given back when dropped.
pub struct Turn<'a>(&'a Turns);

impl Turns {
    /// So many at once.
    pub fn of(n_free: usize) -> Self {
        Self { n_free: Mutex::new(n_free), freed: Condvar::new() }
    }

    /// Waits for a turn.
    pub fn take(&self) -> Turn<'_> {
        let n_free = self.n_free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut n_free = self.freed.wait_while(n_free, |n_free| *n_free == 0).unwrap_or_else(PoisonError::into_inner);
        *n_free -= 1;
        Turn(self)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.n_free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}
