//! What the reader of a progress bar hears of a fetch.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use super::client::Wait;
use oculus_pipeline::bars::{FetchProgress, FetchProgressFn};

/// How far the fetch of all symbols is.
pub(crate) struct News<'a> {
    hear: &'a FetchProgressFn<'a>,
    started: Instant,
    state: RefCell<State>,
}

/// Counts over all symbols.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    n_rows: usize,
    n_pages: usize,
    /// Days of all symbols together: wanted, had from the cache or with their symbol done, and fetched just now.
    wanted: f64,
    had: f64,
    fetched: f64,
}

/// How far the fetch of one span is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PageCount {
    /// Pages of the span so far.
    pub n_pages: usize,
    /// Rows of the span so far.
    pub n_rows: usize,
    /// Days of the span that are done.
    pub n_days: f64,
}

impl<'a> News<'a> {
    /// Nothing yet.
    ///
    /// * `n_days`: days wanted of all symbols together.
    pub(crate) fn new(hear: &'a FetchProgressFn<'a>, n_days: f64) -> Self {
        let state = State { wanted: n_days, ..State::default() };
        Self { hear, started: Instant::now(), state: RefCell::new(state) }
    }

    /// Days and rows of a symbol that need no fetch.
    pub(crate) fn had(&self, n_days: f64, n_rows: usize) {
        let mut state = self.state.borrow_mut();
        state.had += n_days;
        state.n_rows += n_rows;
    }

    /// A page has come.
    pub(crate) fn page(&self, symbol: &str, before: PageCount, now: PageCount) {
        {
            let mut state = self.state.borrow_mut();
            state.n_pages += 1;
            state.n_rows += now.n_rows - before.n_rows;
            state.fetched += (now.n_days - before.n_days).max(0.0);
        }
        self.tell(symbol, format!("{symbol}: page {}, {} bars", now.n_pages, thousands(now.n_rows)));
    }

    /// A request has to wait.
    pub(crate) fn wait(&self, symbol: &str, now: PageCount, wait: Wait) {
        let (seconds, what) = match wait {
            Wait::Turn(wait) => (wait, "for the rate limit"),
            Wait::Limited(wait) => (wait, "as Polygon asks for fewer requests"),
            Wait::Again(wait) => (wait, "to ask again after a fault"),
        };
        let seconds = seconds.as_secs_f64().ceil();
        let (page, bars) = (now.n_pages + 1, thousands(now.n_rows));
        self.tell(symbol, format!("{symbol}: page {page}, {bars} bars, waiting {seconds} s {what}"));
    }

    /// Another process fetches the symbol.
    pub(crate) fn busy(&self, symbol: &str) {
        self.tell(symbol, format!("{symbol}: waiting for another job that fetches it"));
    }

    /// A symbol is complete.
    pub(crate) fn done(&self, symbol: &str, n_rows: usize) {
        self.tell(symbol, format!("{symbol}: {} bars", thousands(n_rows)));
    }

    fn tell(&self, symbol: &str, message: String) {
        let State { n_rows, n_pages, wanted, had, fetched } = *self.state.borrow();
        let (fraction, eta) = outlook(wanted, had, fetched, self.started.elapsed());
        let eta_s = eta.map(|eta| eta.as_secs_f64());
        (self.hear)(&FetchProgress { message, symbol: symbol.to_owned(), n_rows, n_pages, fraction, eta_s });
    }
}

/// Share that is done, and the time left at the pace so far.
fn outlook(wanted: f64, had: f64, fetched: f64, elapsed: Duration) -> (f64, Option<Duration>) {
    let fraction = if wanted > 0.0 { ((had + fetched) / wanted).clamp(0.0, 1.0) } else { 1.0 };
    let left = (wanted - had - fetched).max(0.0);
    let eta = (fetched > 0.0).then(|| Duration::try_from_secs_f64(elapsed.as_secs_f64() * left / fetched).ok());
    (fraction, eta.flatten())
}

/// `1,234,567`.
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (idx, digit) in digits.chars().enumerate() {
        if idx > 0 && (digits.len() - idx).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_cache_had_counts_as_done_but_not_for_the_pace() {
        let second = Duration::from_secs(1);
        assert_eq!(outlook(1000.0, 0.0, 0.0, second), (0.0, None));
        assert_eq!(outlook(1000.0, 500.0, 100.0, second), (0.6, Some(4 * second)));
        assert_eq!(outlook(1000.0, 900.0, 100.0, second), (1.0, Some(Duration::ZERO)));
        assert_eq!(outlook(0.0, 0.0, 0.0, second), (1.0, None));
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
    }
}
