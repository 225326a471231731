//! Reports the progress of a fetch.
//!
//! In: received pages, waits and complete symbols. Out: calls of `on_progress`. Invariant: the
//! reported fraction never decreases.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use oculus_pipeline::bars::{FetchProgress, FetchProgressFn};

use super::client::Wait;

/// Reports the progress of fetching all symbols.
pub(crate) struct ProgressReporter<'a> {
    on_progress: &'a FetchProgressFn<'a>,
    started: Instant,
    totals: RefCell<Totals>,
}

/// Sums over all symbols.
#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    n_rows: usize,
    n_pages: usize,
    /// Requested days, summed over all symbols.
    n_requested: f64,
    /// Days that were in the cache.
    n_cached: f64,
    /// Days that were fetched so far.
    n_fetched: f64,
}

/// The progress of fetching one span of days.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PageCount {
    /// Number of pages received so far.
    pub n_pages: usize,
    /// Number of rows received so far.
    pub n_rows: usize,
    /// Number of complete days in the span.
    pub n_days: f64,
}

impl<'a> ProgressReporter<'a> {
    /// Creates a reporter for a fetch that has not begun.
    ///
    /// * `n_days`: number of requested days, summed over all symbols.
    pub(crate) fn new(on_progress: &'a FetchProgressFn<'a>, n_days: f64) -> Self {
        let totals = Totals { n_requested: n_days, ..Totals::default() };
        Self { on_progress, started: Instant::now(), totals: RefCell::new(totals) }
    }

    /// Counts the days and rows of a symbol that were in the cache.
    pub(crate) fn cached(&self, n_days: f64, n_rows: usize) {
        let mut totals = self.totals.borrow_mut();
        totals.n_cached += n_days;
        totals.n_rows += n_rows;
    }

    /// Reports that a page was received.
    ///
    /// * `before`: progress of the span without the page.
    /// * `now`: progress of the span with the page.
    pub(crate) fn page(&self, symbol: &str, before: PageCount, now: PageCount) {
        // The block ends the borrow before `report` borrows the totals again.
        {
            let mut totals = self.totals.borrow_mut();
            totals.n_pages += 1;
            totals.n_rows += now.n_rows - before.n_rows;
            // A page with older bars than the previous one must not reduce the fraction.
            totals.n_fetched += (now.n_days - before.n_days).max(0.0);
        }
        self.report(symbol, format!("{symbol}: page {}, {} bars", now.n_pages, thousands(now.n_rows)));
    }

    /// Reports that a request waits before it is sent.
    pub(crate) fn wait(&self, symbol: &str, now: PageCount, wait: Wait) {
        let (duration, reason) = match wait {
            Wait::OwnLimit(wait) => (wait, "for POLYGON_REQUESTS_PER_MINUTE"),
            Wait::ServerLimit(wait) => (wait, "for Polygon's rate limit"),
            Wait::Retry(wait) => (wait, "before a retry"),
        };
        let seconds = duration.as_secs_f64().ceil();
        let page = now.n_pages + 1;
        let bars = thousands(now.n_rows);
        self.report(symbol, format!("{symbol}: page {page}, {bars} bars, waiting {seconds} s {reason}"));
    }

    /// Reports that another task or process is fetching the symbol.
    pub(crate) fn busy(&self, symbol: &str) {
        self.report(symbol, format!("{symbol}: waiting for another job that is fetching it"));
    }

    /// Reports that a symbol is complete.
    pub(crate) fn done(&self, symbol: &str, n_rows: usize) {
        self.report(symbol, format!("{symbol}: {} bars", thousands(n_rows)));
    }

    fn report(&self, symbol: &str, message: String) {
        let Totals { n_rows, n_pages, n_requested, n_cached, n_fetched } = *self.totals.borrow();
        let (fraction, eta) = fraction_and_eta(n_requested, n_cached, n_fetched, self.started.elapsed());
        let eta_s = eta.map(|eta| eta.as_secs_f64());
        (self.on_progress)(&FetchProgress { message, symbol: symbol.to_owned(), n_rows, n_pages, fraction, eta_s });
    }
}

/// Returns the completed fraction of the requested days, and the estimated remaining time. The
/// estimate uses only fetched days, because cached days take no time.
fn fraction_and_eta(n_requested: f64, n_cached: f64, n_fetched: f64, elapsed: Duration) -> (f64, Option<Duration>) {
    let fraction = if n_requested > 0.0 { ((n_cached + n_fetched) / n_requested).clamp(0.0, 1.0) } else { 1.0 };
    let n_left = (n_requested - n_cached - n_fetched).max(0.0);
    let eta = (n_fetched > 0.0).then(|| Duration::try_from_secs_f64(elapsed.as_secs_f64() * n_left / n_fetched).ok());
    (fraction, eta.flatten())
}

/// Formats a number with thousands separators, such as `1,234,567`.
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
    fn cached_days_are_complete_but_do_not_affect_the_estimated_time() {
        let second = Duration::from_secs(1);
        assert_eq!(fraction_and_eta(1000.0, 0.0, 0.0, second), (0.0, None));
        assert_eq!(fraction_and_eta(1000.0, 500.0, 100.0, second), (0.6, Some(4 * second)));
        assert_eq!(fraction_and_eta(1000.0, 900.0, 100.0, second), (1.0, Some(Duration::ZERO)));
        assert_eq!(fraction_and_eta(0.0, 0.0, 0.0, second), (1.0, None));
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
    }
}
